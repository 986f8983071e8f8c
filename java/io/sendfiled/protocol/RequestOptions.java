package io.sendfiled.protocol;

import io.sendfiled.technique.Technique;

/**
 * The options of an extended request, as numbers of the protocol; unchecked.
 *
 * @param rate the most bytes per second; 0: no limit
 * @param idleMs the longest time without a byte accepted, in milliseconds (32 bits, unsigned); 0: the daemon's
 * @param deadlineMs the longest time from receipt to the end, in milliseconds (32 bits, unsigned); 0: none
 * @param technique {@link Technique#code}
 * @param flags {@link Wire#FLAG_DROP_BEHIND}, {@link Wire#FLAG_MORE} and {@link Wire#FLAG_SEAL}
 * @param version of the request: {@link Wire#VERSION} or {@link Wire#VERSION_2}
 */
public record RequestOptions(long rate, int idleMs, int deadlineMs, int technique, int flags, int version) {
    /** No options, version 1. */
    public static final RequestOptions NONE = new RequestOptions(0, 0, 0, 0, 0, Wire.VERSION);
}
