package io.sendfiled.client;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * What the daemon reports about a file before its first byte.
 *
 * <p>Times are to the second, or as exact as the file system has them if there are details, or if the file was sent from memory
 * alone, without the engine.
 *
 * @param size the bytes that the transfer will move: of the range that was asked for, or of the whole file
 * @param accessed the last access
 * @param modified the last modification
 * @param changed the last change of the file or its attributes
 * @param details more about the file; null unless the request had {@linkplain TransferOptions options}
 */
public record FileInfo(
        long size,
        Instant accessed,
        Instant modified,
        Instant changed,
        @Nullable FileDetails details) {
    /** Without details. */
    public FileInfo(long size, Instant accessed, Instant modified, Instant changed) {
        this(size, accessed, modified, changed, null);
    }
}
