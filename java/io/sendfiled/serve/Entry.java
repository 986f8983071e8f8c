package io.sendfiled.serve;

import java.time.Instant;

/**
 * An entry of a directory.
 *
 * @param name text as {@link io.sendfiled.names.Names#text} has it
 * @param size bytes, or {@link #NO_SIZE}
 */
record Entry(String name, boolean isDirectory, long size, Instant modified) {
    /** Of what is no regular file. */
    static final long NO_SIZE = -1;
}
