package io.sendfiled.client;

import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.FileSystemException;
import org.jspecify.annotations.Nullable;

/** What a {@link TransferException} says of something that was thrown in this process. */
final class Failures {
    private Failures() {}

    static int errnoOf(Throwable t) {
        if (t instanceof OutOfMemoryError) {
            return Errno.ENOMEM;
        }
        if (t instanceof ClosedChannelException) {
            return Errno.EBADF;
        }
        int errno = t instanceof IOException e ? Errno.of(e) : 0;
        return errno != 0 ? errno : Errno.EIO;
    }

    /**
     * The exception's message; null if that is only the file's name, because then the errno says more. What is no
     * exception of I/O says what it is, too.
     */
    static @Nullable String detailOf(Throwable t) {
        if (!(t instanceof IOException e)) {
            return t.toString();
        }
        return e instanceof FileSystemException && Errno.of(e) != 0 ? null : e.getMessage();
    }
}
