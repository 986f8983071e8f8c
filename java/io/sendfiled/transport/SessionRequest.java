package io.sendfiled.transport;

import io.sendfiled.protocol.RequestOptions;
import org.jspecify.annotations.Nullable;

/**
 * What is asked for over a session, in the numbers of {@code <sendfiled/session.h>}. Immutable, and submitted any number of times.
 *
 * @param operation of {@link io.sendfiled.jni.SessionNative}
 * @param path the path's bytes without a NUL; empty: the file is a handle, or there is none
 * @param head the bytes before the file's; may be empty
 * @param file what was opened, in place of a path
 * @param to the destination, or the buffer
 * @param offset the first byte
 * @param length the bytes, or {@link io.sendfiled.protocol.Wire#TO_END}
 * @param target where in the buffer
 * @param options of a send; null: none
 */
@SuppressWarnings("ArrayRecordComponent") // never compared, nor changed
public record SessionRequest(
        int operation,
        byte[] path,
        byte[] head,
        @Nullable SessionHandle file,
        @Nullable SessionHandle to,
        long offset,
        long length,
        long target,
        @Nullable RequestOptions options) {}
