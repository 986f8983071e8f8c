package io.sendfiled.client;

import java.time.Instant;

/**
 * What the daemon reports about a file before its first byte.
 *
 * @param size the bytes that the transfer will move: of the range that was asked for, or of the whole file
 * @param accessed the last access, to the second
 * @param modified the last modification, to the second
 * @param changed the last change of the file or its attributes, to the second
 */
public record FileInfo(long size, Instant accessed, Instant modified, Instant changed) {}
