package io.sendfiled.client;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A transfer that succeeded: every byte was accepted by the destination.
 *
 * @param info the file's information
 * @param bytesMoved the bytes moved, which is {@code info.size()}
 * @param elapsed from the submission to the end, as this process saw it
 * @param details what the daemon reports about it; null unless the request had {@linkplain TransferOptions options}
 */
public record TransferResult(
        FileInfo info,
        long bytesMoved,
        Duration elapsed,
        @Nullable TransferDetails details) {}
