package io.sendfiled.client;

import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import java.io.IOException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A transfer that was refused, failed or was cancelled.
 *
 * <p>{@link #bytesMoved()} tells whether the destination can still be used: when it is 0, a server can still answer
 * with an error of its own; otherwise the connection has to be closed. The number is exact when the request was refused
 * ({@link #isRefusal()}), for a request with {@linkplain TransferOptions options}, and over a {@linkplain
 * TransportKind#SESSION session} that has not ended; else the daemon may drop the last progress message of a failing
 * transfer, so that it is a lower bound.
 */
public final class TransferException extends IOException {
    private static final long serialVersionUID = 1L;

    private final Operation operation;
    private final String path;
    private final int errno;
    private final String reason;
    private final long bytesMoved;
    private final boolean refusal;
    private final int fits; // a set of techniques

    TransferException(
            Operation operation,
            String path,
            int errno,
            long bytesMoved,
            boolean refusal,
            int fits,
            @Nullable String detail,
            @Nullable Throwable cause) {
        super(message(operation, path, errno, bytesMoved, reason(errno, refusal, detail)), cause);
        this.operation = operation;
        this.path = path;
        this.errno = errno;
        this.reason = reason(errno, refusal, detail);
        this.bytesMoved = bytesMoved;
        this.refusal = refusal;
        this.fits = fits;
    }

    /** The same failure with the stack of the thread that waited for it. */
    TransferException rethrown() {
        return new TransferException(this);
    }

    private TransferException(TransferException first) {
        super(first.getMessage(), first);
        operation = first.operation;
        path = first.path;
        errno = first.errno;
        reason = first.reason;
        bytesMoved = first.bytesMoved;
        refusal = first.refusal;
        fits = first.fits;
    }

    private static String message(Operation operation, String path, int errno, long bytesMoved, String reason) {
        String text = operation + " " + path + ": " + reason + " (" + Errno.name(errno) + ")";
        return bytesMoved == 0 ? text : text + " after " + bytesMoved + " bytes";
    }

    /** What an errno means, where the protocol knows better than strerror(3). */
    private static String reason(int errno, boolean refusal, @Nullable String detail) {
        if (detail != null) {
            return detail;
        }
        if (errno == Errno.ETIMEDOUT) {
            return "timed out"; // not a connection's timeout
        }
        if (!refusal) {
            return Errno.message(errno);
        }
        return switch (errno) {
            case Errno.EACCES ->
                "permission denied: the daemon may not use this file, or its allow-users and allow-groups do not name"
                        + " this user";
            case Errno.EINVAL -> "not a regular file";
            case Errno.ERANGE -> "the range is not inside the file";
            case Errno.EMFILE -> "the daemon serves as many transfers as it may";
            case Errno.EDQUOT ->
                "this process, or its user, has as much of the daemon as it may: wait for its other transfers";
            case Errno.EAGAIN -> "somebody has locked the file for writing";
            case Errno.EOPNOTSUPP -> "the daemon cannot write to such a destination";
            case Errno.EPROTONOSUPPORT ->
                "this daemon is too old for options, details and open files as sources: do without, or upgrade it";
            default -> Errno.message(errno);
        };
    }

    /** The reason for which a technique is refused, and which others fit. */
    static String unfit(Technique asked, int fits) {
        StringBuilder text = new StringBuilder(asked.label()).append(" does not fit here; ask for ");
        for (Technique technique : Technique.setOf(fits)) {
            if (technique != Technique.AUTO) {
                text.append(technique.label()).append(", ");
            }
        }
        return text.append("or auto").toString();
    }

    /** What was asked for. */
    public Operation operation() {
        return operation;
    }

    /** The file's path as the client gave it. */
    public String path() {
        return path;
    }

    /**
     * The reason, as a number of {@link Errno}: the daemon's errno; or {@link Errno#ECANCELED} for a cancelled
     * transfer; {@link Errno#ECONNABORTED} when the status channel ended without a final message, so that the daemon
     * probably died; {@link Errno#EAGAIN} when too many requests wait to be sent.
     */
    public int errno() {
        return errno;
    }

    /** {@link #errno()}'s name, such as {@code "EACCES"}. */
    public String errnoName() {
        return Errno.name(errno);
    }

    /** The reason as text, such as {@code "permission denied"}. */
    public String reason() {
        return reason;
    }

    /** The bytes that were moved before, as reported to the client. */
    public long bytesMoved() {
        return bytesMoved;
    }

    /**
     * The techniques that would fit, when the one that was asked for does not ({@code EOPNOTSUPP}); empty when the
     * reason is another. Unmodifiable.
     */
    public Set<Technique> fits() {
        return Technique.setOf(fits);
    }

    /** Whether the request never became a transfer: nothing has been written to the destination. */
    public boolean isRefusal() {
        return refusal;
    }
}
