package io.sendfiled.counters;

import java.util.Locale;

/** What a transfer under way waits for; in the order of {@code enum sfd_waits_for}. */
public enum WaitsFor {
    /** Nothing: it is ready, or a thread works on it. */
    NOTHING,
    /** Its destination is full. */
    RECEIVER,
    /** Its status channel is full. */
    STATUS,
    /** Its disk. */
    DISK,
    /** Its client has all the disk tasks that it may have. */
    PLACE,
    /** An opened file: that its client has it sent. */
    SEND,
    /** The rate that its client has asked for. */
    RATE,
    /** The system is short of memory, descriptors or the like. */
    RESOURCES,
    /** A selector's choice of its technique. */
    SELECTOR,
    /** Its client holds all the threads that it may hold. */
    THREAD;

    private final String label = name().toLowerCase(Locale.ROOT);

    /** Its name for people. */
    public String label() {
        return label;
    }
}
