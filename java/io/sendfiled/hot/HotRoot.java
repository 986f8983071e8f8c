package io.sendfiled.hot;

import io.sendfiled.base.DiskThreads;
import io.sendfiled.base.Forgotten;
import io.sendfiled.base.SystemLog;
import io.sendfiled.jni.HotNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A directory whose files are served from memory, by threads that must not wait for a disk.
 *
 * <pre>{@code
 * HotRoot root = HotRoot.open(Path.of("/srv/www"));              // at the start: blocks
 *
 * try (HotFile file = root.open("index.html")) {                 // on an event loop
 *     if (file == null) { ... }                                  // cold: the engine opens and sends it
 *     int n = file.read(address, 4096, 0);                       // behind the header, in one buffer
 * }
 * }</pre>
 *
 * <p>A path is resolved below the root, as by a daemon that has this root: neither {@code ..} nor a symbolic link leads out of
 * it, and a leading {@code /} means the root. Only what the kernel's caches know is opened: a path whose directories were not
 * looked up lately, one on another mount than the root, and all files of a root on a file server (FUSE, NFS, ...) are cold. A
 * file that does not exist can be known too.
 *
 * <p>A file system call can be held by what is hooked into the kernel, such as an antivirus (fanotify). It is noticed when one
 * was: then everything is cold for a second, and for longer if that happens again, up to a minute.
 *
 * <p>Thread-safe. Uses one descriptor, and with a {@linkplain HotCache cache} those that it keeps and a thread. A root that is not
 * closed leaks until the garbage collector frees it, which is logged.
 */
public final class HotRoot implements AutoCloseable {
    private final State state;

    private HotRoot(long handle, boolean caches) {
        state = new State(handle, caches ? new CacheSweeper(this) : null);
        var unused = Forgotten.watch(this, state); // its files keep it reachable
    }

    /**
     * Opens a directory. Blocks.
     *
     * @throws NativeIoException if it cannot be opened: {@code ENOENT}, {@code ENOTDIR}, {@code EACCES}, {@code EMFILE}, ...
     * @throws UnsatisfiedLinkError if the native library is not available
     */
    public static HotRoot open(Path root) throws IOException {
        return open(root, 0, 0, false);
    }

    /**
     * The same with a cache of open files.
     *
     * @throws OutOfMemoryError if the cache's thread cannot be started
     */
    public static HotRoot open(Path root, HotCache cache) throws IOException {
        return open(root, cache.entries(), cache.age().toNanos(), cache.looks());
    }

    private static HotRoot open(Path root, int cacheEntries, long cacheAgeNanos, boolean cacheLooks)
            throws IOException {
        long handle = HotNative.openRoot(Names.bytes(root), cacheEntries, cacheAgeNanos, cacheLooks);
        if (handle < 0) {
            throw new NativeIoException("open " + Names.printable(root), (int) -handle);
        }
        HotRoot opened;
        try {
            opened = new HotRoot(handle, cacheEntries > 0);
        } catch (Throwable t) { // no memory, or no thread
            HotNative.freeRoot(handle);
            throw t;
        }
        try {
            opened.state.start();
        } catch (Throwable t) { // likewise
            opened.close();
            throw t;
        }
        return opened;
    }

    /**
     * Opens a file for reading. Never waits for a disk.
     *
     * @param path below the root, see {@link HotRoot}
     * @return the file, which the caller closes; null: cold
     * @throws NoSuchFileException if there is none
     * @throws AccessDeniedException if this process may not read it
     * @throws NativeIoException {@code EINVAL} if it is no regular file, {@code ENOTDIR}, {@code ELOOP}, {@code ENAMETOOLONG}, ...
     * @throws ClosedChannelException if the root is closed
     */
    public @Nullable HotFile open(String path) throws IOException {
        HotFile file = new HotFile(this);
        int result;
        try {
            result = HotNative.open(state.handle, Names.bytes(path), file.numbers);
        } finally {
            Reference.reachabilityFence(this);
        }
        if (result == 0) {
            state.wakeSweeper();
            return file;
        }
        return switch (-result) {
            case Errno.EAGAIN -> null;
            case Errno.EBADF -> throw new ClosedChannelException();
            case Errno.ENOENT -> throw new NoSuchFileException(Names.printable(path));
            case Errno.EACCES, Errno.EPERM -> throw new AccessDeniedException(Names.printable(path));
            default -> throw new NativeIoException("open " + Names.printable(path), -result);
        };
    }

    /**
     * Takes up a file that is open already. Never waits for a disk.
     *
     * @param file open for reading, and neither closed nor moved by this: the hot file has a duplicate of its descriptor
     * @return the file, which the caller closes; null: cold, because it is on another device than the root, or open with {@code
     *     O_DIRECT}
     * @throws ClosedChannelException if the root or the channel is closed
     * @throws NativeIoException {@code EBADF} if it is not open for reading, {@code EINVAL} if it is no regular file, {@code
     *     EMFILE}
     */
    public @Nullable HotFile adopt(FileChannel file) throws IOException {
        OwnedFd duplicate = Descriptors.duplicate(file);
        try {
            HotFile hot = adopt(duplicate);
            if (hot == null) {
                DiskThreads.close(OwnedFd.take(duplicate.release())); // its disk may hold that
            }
            return hot;
        } finally {
            duplicate.close();
        }
    }

    /**
     * The same of a descriptor, which it takes when a file is returned, and only then.
     *
     * @throws ClosedChannelException if the root is closed
     * @throws NativeIoException as {@link #adopt(FileChannel)}
     */
    public @Nullable HotFile adopt(OwnedFd file) throws IOException {
        HotFile hot = new HotFile(this);
        try {
            int result = HotNative.adopt(state.handle, file.fd(), hot.numbers);
            if (result == -Errno.EAGAIN) {
                return null;
            }
            if (result == -Errno.EBADF && state.closed.get()) {
                throw new ClosedChannelException();
            }
            Errno.check(result, "take up an open file");
            var unused = file.release();
            return hot;
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Closes it; idempotent. Its open files stay open until they are closed. Waits for no other thread. */
    @Override
    public void close() {
        if (!state.closed.getAndSet(true)) {
            HotNative.closeRoot(state.handle);
            state.endSweeper();
        }
    }

    /**
     * Closes some of what the cache keeps and nobody has asked for.
     *
     * @return in how many nanoseconds that is due again; 0: nothing is kept; negative: the root is closed
     */
    long sweep() {
        try {
            return HotNative.sweep(state.handle);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    long handle() {
        return state.handle;
    }

    /** What outlives the object for a moment: the native root, and the thread that sweeps its cache. */
    private static final class State implements Runnable {
        final long handle;
        final @Nullable CacheSweeper sweeper; // null: there is no cache
        final AtomicBoolean closed = new AtomicBoolean();

        State(long handle, @Nullable CacheSweeper sweeper) {
            this.handle = handle;
            this.sweeper = sweeper;
        }

        void start() {
            if (sweeper != null) {
                sweeper.start();
            }
        }

        void wakeSweeper() {
            if (sweeper != null) {
                sweeper.wake();
            }
        }

        void endSweeper() {
            if (sweeper != null) {
                sweeper.end();
            }
        }

        /** Called by the cleaner: neither the root nor one of its files can be reached. */
        @Override
        public void run() {
            if (!closed.get()) {
                SystemLog.log("io.sendfiled.hot", System.Logger.Level.WARNING, "a HotRoot was not closed", null);
            }
            HotNative.freeRoot(handle); // which the sweeper does not use: it would have reached the object
            endSweeper();
        }
    }
}
