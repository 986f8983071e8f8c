package io.sendfiled.technique;

import org.jspecify.annotations.Nullable;

/** What a transfer's bytes can go to; the codes are those of {@code enum sfd_fd_kind}. */
public enum DestinationType {
    /** A pipe or FIFO, and the pipe of a Read File. */
    PIPE(1),
    /** A stream socket of IPv4 or IPv6. */
    TCP(2),
    /** A stream socket of the UNIX family. */
    UNIX(3),
    /** A regular file or a memory file. */
    FILE(4),
    /** A character device. */
    DEVICE(5),
    /** A seqpacket socket of the UNIX family, which takes records of at most 4096 bytes. */
    SEQPACKET(6);

    private final int code;

    DestinationType(int code) {
        this.code = code;
    }

    /** Its number in the turn buffer and, as a bit, in a rule. */
    public int code() {
        return code;
    }

    /** The type of a number; null for what is no destination. */
    public static @Nullable DestinationType of(int code) {
        return switch (code) {
            case 1 -> PIPE;
            case 2 -> TCP;
            case 3 -> UNIX;
            case 4 -> FILE;
            case 5 -> DEVICE;
            case 6 -> SEQPACKET;
            default -> null;
        };
    }
}
