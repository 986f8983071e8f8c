package io.sendfiled.tools;

import io.sendfiled.client.DaemonUnavailableException;
import io.sendfiled.client.TransferException;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.FileSystemException;
import org.jspecify.annotations.Nullable;

/** The one way in which a command fails: carries the message and the exit status. */
final class SfdException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int exitCode;
    private final int errno;
    private final long bytesMoved;

    SfdException(String message, int exitCode, int errno, long bytesMoved, @Nullable Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
        this.errno = errno;
        this.bytesMoved = bytesMoved;
    }

    /** Wrong arguments. */
    static SfdException usage(String message) {
        return new SfdException(message, ExitCode.USAGE, 0, 0, null);
    }

    /** There is no daemon, or nothing of one. */
    static SfdException unreachable(String message) {
        return new SfdException(message, ExitCode.UNREACHABLE, 0, 0, null);
    }

    /** What the caller may not look at. */
    static SfdException forbidden(String message) {
        return new SfdException(message, ExitCode.PERMISSION, Errno.EACCES, 0, null);
    }

    /** A failure for which there are words already. */
    static SfdException failed(String message) {
        return new SfdException(message, ExitCode.FAILED, 0, 0, null);
    }

    /** Something that sfd does not do to a file, a terminal. */
    static SfdException refused(String subject, String reason) {
        return new SfdException(printable(subject) + ": " + reason, ExitCode.FAILED, 0, 0, null);
    }

    /** A failure that concerns something: a path, an address, standard output. */
    static SfdException of(String subject, IOException cause) {
        return of(subject, cause, 0);
    }

    /** As {@link #of(String, IOException)}, after so many bytes. */
    static SfdException of(String subject, IOException cause, long bytesMoved) {
        if (cause instanceof DaemonUnavailableException gone) {
            int exitCode = gone.errno() == Errno.EACCES ? ExitCode.PERMISSION : ExitCode.UNREACHABLE;
            return new SfdException(String.valueOf(gone.getMessage()), exitCode, gone.errno(), 0, gone);
        }
        int errno = cause instanceof TransferException failure ? failure.errno() : Errno.of(cause);
        return new SfdException(
                printable(subject) + ": " + reason(errno, cause) + after(bytesMoved),
                ExitCode.of(errno, bytesMoved),
                errno,
                bytesMoved,
                cause);
    }

    private static String reason(int errno, IOException cause) {
        if (errno == 0) {
            return reasonOf(cause);
        }
        if (errno == Errno.ETIMEDOUT) {
            return "timed out (ETIMEDOUT)"; // not a connection's timeout
        }
        return Errno.describe(errno);
    }

    private static String after(long bytesMoved) {
        return bytesMoved == 0 ? "" : " after " + bytesMoved + " bytes";
    }

    private static String reasonOf(IOException e) {
        if (e instanceof FileSystemException named && named.getReason() != null) {
            return String.valueOf(named.getReason());
        }
        return e.getMessage() == null ? e.getClass().getSimpleName() : String.valueOf(e.getMessage());
    }

    /** A file's name must not control the terminal. */
    static String printable(String text) {
        return Names.printable(text);
    }

    int exitCode() {
        return exitCode;
    }

    /** 0 when there is none. */
    int errno() {
        return errno;
    }

    long bytesMoved() {
        return bytesMoved;
    }
}
