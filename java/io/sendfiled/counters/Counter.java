package io.sendfiled.counters;

/** What the engine counts; the order is that of {@code enum sfd_counter}. */
public enum Counter {
    /** Datagrams received. */
    REQUESTS,
    /** Requests answered with an error, or that could not be answered. */
    REFUSED,
    /** Transfers that moved every byte. */
    COMPLETED,
    /** Transfers that ended with an error after they had begun. */
    FAILED,
    /** Transfers cancelled by request, or because their client went away. */
    CANCELLED,
    /** Bytes that destinations have taken. */
    BYTES,
    /** Opens that went to the disk pool. */
    COLD_OPENS,
    /** Windows that the disk pool loaded. */
    COLD_WINDOWS,
    /** Times that a transfer waited for its receiver. */
    BLOCKED,
    /** Opened files that nobody sent in time. */
    OPEN_TIMEOUTS,
    /** Transfers in the table now; the only one that can fall. */
    TRANSFERS
}
