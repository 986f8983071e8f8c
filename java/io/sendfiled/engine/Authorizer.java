package io.sendfiled.engine;

import io.sendfiled.sys.Errno;

/**
 * Decides who is served, by the credentials that the kernel attaches to each request; one for all loops of an engine.
 *
 * <p>Served are the superuser, the engine's own user, and who is on the access list, which can be replaced at any time: a
 * request is judged by the old one or by the new one. Any thread; never waits, allocates nothing.
 */
final class Authorizer {
    private static final int SUPERUSER = 0;

    private final int uid;
    private final int nobody;
    private final int refusedPid;
    private volatile boolean admitsOwnRequests;
    private volatile AccessList list;

    /**
     * @param uid the engine's own user; -1: it has none
     * @param nobody the user as which all appear that are unknown here, and who therefore is refused; -1: there is none
     * @param refusedPid a process that is no client, the daemon's own; -1: none
     */
    Authorizer(int uid, int nobody, int refusedPid, AccessList list) {
        this.uid = uid;
        this.nobody = nobody;
        this.refusedPid = refusedPid;
        this.list = list;
    }

    /** From here on these may ask. */
    void allow(AccessList list) {
        this.list = list;
    }

    /** Whether the daemon's own process is served as any other, for a trial. */
    void admitOwnRequests(boolean admits) {
        admitsOwnRequests = admits;
    }

    /** Who may ask now. */
    AccessList list() {
        return list;
    }

    /** 0, or the errno to refuse the request with. */
    int check(int senderUid, int senderGid, int senderPid) {
        if (senderPid == refusedPid && !admitsOwnRequests) {
            return Errno.EACCES;
        }
        if (senderUid == SUPERUSER || senderUid == uid) {
            return 0;
        }
        return senderUid != nobody && list.allows(senderUid, senderGid) ? 0 : Errno.EACCES;
    }

    /** For what {@link #check} has refused the request of that sender: for whoever reads the log. */
    RefusalLog.Reason reason(int senderUid, int senderPid) {
        if (senderPid == refusedPid) {
            return RefusalLog.Reason.OWN_PROCESS;
        }
        return senderUid == nobody ? RefusalLog.Reason.UNKNOWN_USER : RefusalLog.Reason.NOT_ALLOWED;
    }
}
