package io.sendfiled.client;

import io.sendfiled.technique.Technique;
import java.time.Duration;

/**
 * What the daemon tells about a transfer that is over, when it was asked for: see {@link TransferOptions}.
 *
 * @param technique what moved the bytes; never {@link Technique#AUTO} once a byte was moved
 * @param coldWindows how many parts of the file were not in the page cache, so that the disk had to be waited for
 * @param elapsed from when the daemon received the request until the destination had taken the last byte
 */
public record TransferDetails(Technique technique, long coldWindows, Duration elapsed) {}
