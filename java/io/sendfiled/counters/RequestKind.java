package io.sendfiled.counters;

import java.util.Locale;

/** What a request asks for, as it is counted; in the order of {@code enum sfd_operation}. */
public enum RequestKind {
    /** It says nothing that is known. */
    OTHER(0),
    /** Open File, and what is sent of that file later. */
    OPEN(1),
    /** Read File. */
    READ(2),
    /** Send File. */
    SEND(3),
    /** Send Descriptor: a file that the client has opened. */
    DESCRIPTOR(4),
    /** Send Open File: a command for a transfer that is counted as {@link #OPEN}. */
    SEND_OPEN(5),
    /** Cancel: a command as well. */
    CANCEL(6);

    private final int code;
    private final String label = name().toLowerCase(Locale.ROOT).replace('_', '-');

    RequestKind(int code) {
        this.code = code;
    }

    /** Its number in the engine. */
    public int code() {
        return code;
    }

    /** Its name for people: {@code send-open}. */
    public String label() {
        return label;
    }
}
