package io.sendfiled.sys;

import java.io.Closeable;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A file descriptor with exactly one owner, who closes it once or releases it.
 *
 * <p>Thread-safe in this sense: {@link #close} and {@link #release} take the number away atomically, so that it is
 * closed only once, and never after it was reused. The number that {@link #fd} gives is valid only until another thread
 * closes it: to use a descriptor that another thread may close, make a {@linkplain Descriptors#duplicate(OwnedFd)
 * duplicate}. There is no finalizer: an owner that does not close leaks.
 */
public final class OwnedFd implements Closeable {
    private static final int NONE = -1;

    private final AtomicInteger number;

    private OwnedFd(int fd) {
        number = new AtomicInteger(fd);
    }

    /**
     * Takes ownership of a descriptor.
     *
     * @param fd an open descriptor that nothing else will close
     * @throws IllegalArgumentException if it is negative
     */
    public static OwnedFd take(int fd) {
        if (fd < 0) {
            throw new IllegalArgumentException("not a descriptor: " + fd);
        }
        return new OwnedFd(fd);
    }

    /**
     * The number, borrowed.
     *
     * @throws IllegalStateException if it was closed or released
     */
    public int fd() {
        int fd = number.get();
        if (fd == NONE) {
            throw new IllegalStateException("the descriptor is closed");
        }
        return fd;
    }

    /** Whether it was neither closed nor released. */
    public boolean isOpen() {
        return number.get() != NONE;
    }

    /**
     * Gives the descriptor to the caller, who has to close it now.
     *
     * @throws IllegalStateException if it was closed or released
     */
    public int release() {
        int fd = number.getAndSet(NONE);
        if (fd == NONE) {
            throw new IllegalStateException("the descriptor is closed");
        }
        return fd;
    }

    /**
     * Closes it; idempotent. Blocks as {@code close(2)} does, which depends on its type.
     *
     * @throws IOException when close reported an error of an earlier write; the number is free all the same
     */
    @Override
    public void close() throws IOException {
        int fd = number.getAndSet(NONE);
        if (fd != NONE) {
            Descriptors.close(fd);
        }
    }

    @Override
    public String toString() {
        int fd = number.get();
        return fd == NONE ? "OwnedFd[closed]" : "OwnedFd[" + fd + "]";
    }
}
