package io.sendfiled.client;

import io.sendfiled.jni.Errno;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A transfer that was refused, failed or was cancelled.
 *
 * <p>{@link #bytesMoved()} decides whether the destination is still in step: when it is 0, a server can still answer
 * with an error of its own; otherwise the connection is of no more use. The daemon may drop the last progress message
 * of a failing transfer, so a number above 0 is a lower bound; 0 is exact when the request was refused
 * ({@link #isRefusal()}).
 */
public final class TransferException extends IOException {
    private static final long serialVersionUID = 1L;

    private final Operation operation;
    private final String path;
    private final int errno;
    private final long bytesMoved;
    private final boolean refusal;

    TransferException(
            Operation operation,
            String path,
            int errno,
            long bytesMoved,
            boolean refusal,
            @Nullable String detail,
            @Nullable Throwable cause) {
        super(message(operation, path, errno, bytesMoved, detail), cause);
        this.operation = operation;
        this.path = path;
        this.errno = errno;
        this.bytesMoved = bytesMoved;
        this.refusal = refusal;
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
        bytesMoved = first.bytesMoved;
        refusal = first.refusal;
    }

    private static String message(
            Operation operation, String path, int errno, long bytesMoved, @Nullable String detail) {
        String text = operation + " " + path + ": " + (detail != null ? detail : Errno.message(errno)) + " ("
                + Errno.name(errno) + ")";
        return bytesMoved == 0 ? text : text + " after " + bytesMoved + " bytes";
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
     * Why, as a number of {@link Errno}: what the daemon said; or {@link Errno#ECANCELED} for a cancelled transfer;
     * {@link Errno#ECONNABORTED} when the status channel ended without a word, so that the daemon probably died;
     * {@link Errno#EAGAIN} when too many requests wait to be sent already.
     */
    public int errno() {
        return errno;
    }

    /** {@link #errno()}'s name, such as {@code "EACCES"}. */
    public String errnoName() {
        return Errno.name(errno);
    }

    /** {@link #errno()}'s text, such as {@code "permission denied"}. */
    public String errnoMessage() {
        return Errno.message(errno);
    }

    /** The bytes that were moved before, as far as the client knows. */
    public long bytesMoved() {
        return bytesMoved;
    }

    /** Whether the request never became a transfer: nothing has been written to the destination. */
    public boolean isRefusal() {
        return refusal;
    }
}
