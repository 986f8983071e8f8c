package io.sendfiled.client;

import java.time.Duration;

/**
 * A transfer that succeeded: every byte was accepted by the destination.
 *
 * @param info the file's information
 * @param bytesMoved the bytes moved, which is {@code info.size()}
 * @param elapsed from the submission to the end
 */
public record TransferResult(FileInfo info, long bytesMoved, Duration elapsed) {}
