package io.sendfiled.counters;

import java.util.Locale;

/** How a request, or its transfer, has ended; in the order of {@code enum sfd_outcome}. */
public enum Outcome {
    /** Every byte was moved. */
    COMPLETED(0),
    /** It was answered with an error before it moved anything, or could not be answered. */
    REFUSED(1),
    /** It ended with an error after it had begun. */
    FAILED(2),
    /** By request, or because its client is gone. */
    CANCELLED(3);

    private final int code;
    private final String label = name().toLowerCase(Locale.ROOT);

    Outcome(int code) {
        this.code = code;
    }

    /** Its number in the engine. */
    public int code() {
        return code;
    }

    /** Its name for people. */
    public String label() {
        return label;
    }
}
