package io.sendfiled.counters;

import java.util.Locale;

/** The times that are kept, each in a histogram; in the order of {@code enum sfd_time}. */
public enum Latency {
    /** From the receipt of a request until its destination has accepted a byte. */
    FIRST_BYTE_WARM(0),
    /** The same where the disk pool had to work before that. */
    FIRST_BYTE_COLD(1),
    /** From the receipt to the end, of transfers that completed. */
    TRANSFER(2),
    /** Of a loop between two waits: so long what became ready can have had to wait. */
    TURN(3);

    private final int code;
    private final String label = name().toLowerCase(Locale.ROOT).replace('_', '-');

    Latency(int code) {
        this.code = code;
    }

    /** Its number in the engine. */
    public int code() {
        return code;
    }

    /** Its name for people: {@code first-byte-warm}. */
    public String label() {
        return label;
    }
}
