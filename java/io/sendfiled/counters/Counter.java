package io.sendfiled.counters;

/** What the engine counts; the indexes are those of {@code enum sfd_counter}. */
public enum Counter {
    /** Datagrams received. */
    REQUESTS(0),
    /** Requests answered with an error, or that could not be answered. */
    REFUSED(1),
    /** Transfers that moved every byte. */
    COMPLETED(2),
    /** Transfers that ended with an error after they had begun. */
    FAILED(3),
    /** Transfers cancelled by request, or because their client went away. */
    CANCELLED(4),
    /** Bytes that destinations have accepted. */
    BYTES(5),
    /** Opens that went to the disk pool. */
    COLD_OPENS(6),
    /** Windows that the disk pool loaded. */
    COLD_WINDOWS(7),
    /** Times that a transfer waited for its receiver. */
    BLOCKED(8),
    /** Opened files that were not sent in time. */
    OPEN_TIMEOUTS(9),
    /** Transfers in the table now; can fall. */
    TRANSFERS(10),
    /** Times that one call held its thread for too long, and another thread took the loop over if there was one. */
    STUCK(11),
    /** Transfers that ended because no byte moved for too long. */
    IDLE_TIMEOUTS(12),
    /** Transfers that ended because the deadline of their request was over. */
    DEADLINES(13),
    /** Transfers for whose final message the status channel had no room in time. */
    DRAIN_TIMEOUTS(14),
    /** Choices of the selector that could not be obeyed, so that the rules stood in. */
    UNFIT_SELECTIONS(15),
    /** Requests refused because there were as many transfers as the daemon allows. */
    REFUSED_TRANSFERS(16),
    /** Requests refused because their client had as many transfers as one client may. */
    REFUSED_CLIENT_TRANSFERS(17),
    /** Requests refused because their client had as many descriptors as one client may. */
    REFUSED_CLIENT_DESCRIPTORS(18),
    /** Requests refused because their client had as many disk tasks as one client may. */
    REFUSED_CLIENT_DISK_TASKS(19),
    /** Descriptors that are held for clients now, or promised to their transfers; can fall. */
    DESCRIPTORS(20),
    /** Tasks in the disk pool now, in a queue or with a thread; can fall. */
    DISK_TASKS(21),
    /** Waits and retries because the system lacked memory, descriptors or the like. */
    SHORTAGES(22),
    /** Requests that lost descriptors on receipt, because the process had too many open. */
    CROWDED(23),
    /** Requests refused because their user had as many transfers as one user may beside others. */
    REFUSED_USER_TRANSFERS(24),
    /** Paths of sessions that the cache of open files had. */
    OPEN_FILE_HITS(25),
    /** Files that the cache of open files has closed to make room for others. */
    OPEN_FILE_EVICTIONS(26),
    /** Files of the cache of open files that a check found to be another one, changed or gone. */
    OPEN_FILE_STALE(27),
    /** Times that a session went to an event loop with less to do. */
    SESSION_MOVES(28);

    private final int index;

    Counter(int index) {
        this.index = index;
    }

    /** Its number in the engine. */
    public int index() {
        return index;
    }
}
