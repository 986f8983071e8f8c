package io.sendfiled.client;

import io.sendfiled.technique.Technique;
import java.time.Duration;

/**
 * What the daemon reports about a transfer that is over, if the request had {@link TransferOptions}.
 *
 * @param technique what moved the bytes; never {@link Technique#AUTO} once a byte was moved
 * @param coldWindows how many times the transfer waited for the disk, because a part of the file was not in the page
 *     cache
 * @param elapsed from receipt of the request by the daemon to the last byte accepted by the destination
 */
public record TransferDetails(Technique technique, long coldWindows, Duration elapsed) {}
