package io.sendfiled.transport;

import io.sendfiled.protocol.RequestOptions;
import org.jspecify.annotations.Nullable;

/**
 * What is asked for, in the numbers of the protocol. The destination and the source come beside it.
 *
 * @param path the path's bytes without a NUL; empty if there is a source
 * @param offset the first byte; 0 beside segments
 * @param length the bytes, or {@link io.sendfiled.protocol.Wire#TO_END}; 0 beside segments
 * @param segments what is sent in place of the range, encoded as behind the path of a request
 * @param segmentCount how many those are
 * @param isExtended whether it needs the extended form of the protocol
 * @param root the name of the root that the path is in; null: the engine's only or first one
 * @param owner for whom it is, where limits and fair turns are those of owners
 * @param contentMost of an open: how long a file may be whose content is asked for; 0: none
 */
@SuppressWarnings("ArrayRecordComponent") // never compared, nor changed
public record TransferRequest(
        byte[] path,
        long offset,
        long length,
        byte[] segments,
        int segmentCount,
        RequestOptions options,
        boolean isExtended,
        @Nullable String root,
        long owner,
        int contentMost) {}
