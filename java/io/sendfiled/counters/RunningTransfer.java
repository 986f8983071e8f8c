package io.sendfiled.counters;

import io.sendfiled.technique.Technique;
import io.sendfiled.units.TransferId;

/**
 * A transfer under way, as it was when the counters were read.
 *
 * @param id unique in its engine, as long as that runs
 * @param pid of its client; 0: it cannot be seen from where the engine is
 * @param uid of its client
 * @param kind what was asked for
 * @param technique that moves it; {@link Technique#AUTO}: none yet
 * @param waitsFor what keeps it now
 * @param cold whether the disk pool had to work before its first byte
 * @param ended whether only its final message, or the return of a disk's thread, is left
 * @param path of its file, or the end of it; empty: a descriptor. As bytes of a name that are not UTF-8 are in paths,
 *     {@code io.sendfiled.client.FileRequest}
 * @param pathCut whether there is more of the path in front
 * @param size bytes that it will move; -1: its file is not open yet
 * @param moved bytes that its destination has accepted
 * @param ageNs since it was received
 * @param firstByteNs from the request for its bytes to the first of them; -1: there is none yet
 */
public record RunningTransfer(
        long id,
        int pid,
        int uid,
        RequestKind kind,
        Technique technique,
        WaitsFor waitsFor,
        boolean cold,
        boolean ended,
        String path,
        boolean pathCut,
        long size,
        long moved,
        long ageNs,
        long firstByteNs) {
    /** Its id as people write it, and {@code sfd cancel} takes it: {@code 1-4711}. */
    public String name() {
        return TransferId.format(id);
    }
}
