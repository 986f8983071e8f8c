package io.sendfiled.buffer;

import io.sendfiled.base.Forgotten;
import io.sendfiled.jni.BufferNative;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.sys.OwnedFd;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Memory that is handed to another process, in Java or in C, without copying it.
 *
 * <pre>{@code
 * try (SharedBuffer buffer = SharedBuffer.allocate(64 << 20)) {       // one process
 *     buffer.bytes().put(...);
 *     buffer.send(socketChannel);
 * }
 * try (SharedBuffer buffer = SharedBuffer.receive(socketChannel)) {   // the other one
 *     use(buffer.bytes());
 * }
 * }</pre>
 *
 * <p>To send a buffer seals it: the kernel refuses every later write, also the sender's, so that the receiver can rely
 * on what it has read. A buffer may be sent to many processes, which all read the same memory; the memory is freed when
 * the last one closes it. A receiver that needs to write needs a buffer that was {@linkplain #move moved}. The size of
 * a buffer never changes.
 *
 * <p>Sending and receiving take some microseconds whatever the size. Sealing takes 20 to 60 ms for 1 GiB (half a millisecond with
 * {@linkplain BufferOptions#hugePages huge pages}): a program with an event loop should {@linkplain #seal seal} in the
 * thread that fills the buffer.
 *
 * <p><b>Views.</b> {@link #bytes} and {@link #view} give direct buffers on the memory itself. One that was taken before the
 * buffer was sealed, moved or closed must not be used any more: the JVM answers a read or write of it with an
 * {@link InternalError} (up to JDK 20 some time later, as it does for a mapped file that was cut), a system call fails
 * with {@code EFAULT}; such a view never reaches this or other memory.
 *
 * <p>Thread-safe; the bytes themselves are as safe as any memory. Uses one descriptor, with {@code FD_CLOEXEC}. A
 * buffer that is not closed leaks until the garbage collector frees it, which is logged.
 */
public final class SharedBuffer implements Closeable {
    private final Memory memory;
    private final long size;
    private final Cleaner.Cleanable cleanable;

    private SharedBuffer(ByteBuffer state) {
        memory = new Memory(state);
        size = BufferNative.size(state);
        cleanable = Forgotten.watch(this, memory);
    }

    /** Takes a state that has a buffer: frees it if there is no memory, or no thread, for the object. */
    private static SharedBuffer take(ByteBuffer state) {
        try {
            return new SharedBuffer(state);
        } catch (Throwable t) {
            BufferNative.free(state);
            throw t;
        }
    }

    /** Allocates a buffer of zeros; see {@link #allocate(long, BufferOptions)}. */
    public static SharedBuffer allocate(long size) throws IOException {
        return allocate(size, BufferOptions.DEFAULT);
    }

    /**
     * Allocates a buffer of zeros, to be filled. Each page is allocated at the first write to it; with prefault all
     * are, and the call waits for that. The memory does not count as direct memory of the JVM.
     *
     * @param size bytes, from 0
     * @throws IllegalArgumentException if the size is negative; or if it is to be in a file, and the size is 0 or huge
     *     pages or prefault are asked for as well
     * @throws NativeIoException {@code ENOMEM} if that is more than the machine's memory and swap space, or there are not
     *     enough huge pages; {@code EMFILE} if no descriptor is free; in a file: {@code ENOSPC} or {@code EDQUOT} if its
     *     disk has no room, {@code EOPNOTSUPP} or {@code EISDIR} if its file system has no files without a name, and
     *     those of the directory's path
     */
    public static SharedBuffer allocate(long size, BufferOptions options) throws IOException {
        if (size < 0) {
            throw new IllegalArgumentException("negative size " + size);
        }
        ByteBuffer state = BufferNative.newState();
        if (options.directory() != null && (size == 0 || options.hugePages() || options.prefault())) {
            throw new IllegalArgumentException(
                    "a buffer in a file has bytes, and neither huge pages nor prefault: " + options);
        }
        String where = options.directory() != null
                ? " bytes in a file in " + options.directory()
                : options.hugePages() ? " bytes in huge pages" : " bytes";
        Errno.check(options.allocate(state, size), "allocate a buffer of " + size + where);
        return take(state);
    }

    /**
     * The buffer of a memory file whose descriptor was received in another way than by {@link #receive}: its size is
     * the file's.
     *
     * @param descriptor the memory file; the buffer owns it if the call succeeds, else the caller keeps it
     * @throws NativeIoException if it does not fit the access, as in {@link #receive(BufferSocket, BufferAccess)}
     */
    public static SharedBuffer of(OwnedFd descriptor, BufferAccess access) throws IOException {
        ByteBuffer state = BufferNative.newState();
        check(BufferNative.map(state, descriptor.fd(), access.flags()), "map a buffer");
        var unused = descriptor.release();
        return take(state);
    }

    /** Bytes. */
    public long size() {
        return size;
    }

    /** Whether no process can write to it any more. */
    public boolean isSealed() {
        return memory.seal() == BufferNative.SEALED;
    }

    /** Whether this process has it: neither closed nor moved. */
    public boolean isOpen() {
        return memory.isOpen();
    }

    /**
     * A view of all bytes: position 0, limit {@link #size}, big-endian until told otherwise. Read-only once it is sealed.
     *
     * @throws IllegalStateException if it is closed, or larger than a {@link ByteBuffer} can be: {@link #view}
     */
    public ByteBuffer bytes() {
        if (size > Integer.MAX_VALUE) {
            throw new IllegalStateException(
                    "a buffer of " + size + " bytes has no single view: use view(offset, length)");
        }
        return view(0, (int) size);
    }

    /**
     * A view of a part, as {@link #bytes}.
     *
     * @param offset the first byte, from 0
     * @param length bytes, from 0
     * @throws IndexOutOfBoundsException if the part is not inside the buffer
     * @throws IllegalStateException if it is closed
     */
    public ByteBuffer view(long offset, int length) {
        Objects.checkFromIndexSize(offset, length, size);
        return memory.view(offset, length);
    }

    /**
     * Seals it: no byte changes from now on, and {@link #bytes} gives read-only views. Existing views end. Does nothing
     * to a buffer that is sealed. {@link #send} does this as well.
     *
     * <p>Where another process has it mapped for writing, the seal can only keep out new writers: {@link #isSealed}
     * stays false, and a receiver has to ask for {@link BufferAccess#FUTURE_WRITE}. A later call tries again.
     *
     * @throws ClosedChannelException if it is closed
     * @throws NativeIoException {@code EMFILE} if views exist and no descriptor is free, {@code ENOMEM}; {@code
     *     EMEDIUMTYPE} if it is in a file
     */
    public void seal() throws IOException {
        Errno.check(memory.addSeals(), "seal a buffer");
    }

    /** Hands it over; see {@link #send(BufferSocket)}. */
    public boolean send(SocketChannel channel) throws IOException {
        return send(BufferSocket.of(channel));
    }

    /**
     * Hands it to the process at the other end. Seals it first, {@link #seal}, also if the send then fails. It stays
     * open here, to be read and to be sent to others.
     *
     * @return true when it was sent; false when the socket is non-blocking and full: try again when it is writable
     * @throws ClosedChannelException if it is closed
     * @throws NativeIoException {@code EPIPE}, {@code ECONNRESET} and the like if no process is at the other end;
     *     {@code EOPNOTSUPP} if it is not a UNIX socket
     */
    public boolean send(BufferSocket socket) throws IOException {
        return pass(socket, memory::send, "send a buffer");
    }

    /** Hands it over for writing; see {@link #move(BufferSocket)}. */
    public boolean move(SocketChannel channel) throws IOException {
        return move(BufferSocket.of(channel));
    }

    /**
     * Hands it to the process at the other end, unsealed, and closes it here. The receiver asks for
     * {@link BufferAccess#WRITABLE}. Views end, whatever the result.
     *
     * @return true when it was moved; false when the socket is non-blocking and full
     * @throws ClosedChannelException if it is closed
     * @throws NativeIoException {@code EROFS} if it is sealed; else as {@link #send(BufferSocket)}
     */
    public boolean move(BufferSocket socket) throws IOException {
        boolean moved = pass(socket, memory::move, "move a buffer");
        if (moved) {
            close(); // the cleaner need not look after it
        }
        return moved;
    }

    private interface Passing {
        int to(int socket) throws IOException;
    }

    private static boolean pass(BufferSocket socket, Passing passing, String what) throws IOException {
        try (OwnedFd duplicate = socket.duplicate()) {
            while (true) {
                int result = passing.to(duplicate.fd());
                if (result != -Errno.EAGAIN) {
                    Errno.check(result, what);
                    return true;
                }
                if (!socket.await(duplicate, false)) {
                    return false;
                }
            }
        }
    }

    /** Receives a buffer to read; see {@link #receive(BufferSocket, BufferAccess)}. */
    public static @Nullable SharedBuffer receive(SocketChannel channel) throws IOException {
        return receive(BufferSocket.of(channel), BufferAccess.SEALED);
    }

    /** Receives a buffer; see {@link #receive(BufferSocket, BufferAccess)}. */
    public static @Nullable SharedBuffer receive(SocketChannel channel, BufferAccess access) throws IOException {
        return receive(BufferSocket.of(channel), access);
    }

    /**
     * Receives the next buffer from a socket. A message that is no buffer, or does not fit the access, is refused, and
     * all its descriptors are closed; the next call receives the next message.
     *
     * @return the buffer, or null when the socket is non-blocking and nothing has come
     * @throws EOFException if the other end has closed the connection
     * @throws NativeIoException which says what is wrong with it: {@code EBADMSG}, {@code EPROTONOSUPPORT} (the
     *     message), {@code ENOMSG}, {@code E2BIG} (none or several descriptors), {@code EMEDIUMTYPE} (no memory file),
     *     {@code ERANGE} (its size), {@code EPERM}, {@code EBUSY} (not sealed), {@code EROFS} (sealed, but {@code
     *     WRITABLE} was asked for), {@code EMFILE}, {@code ENOMEM}; or with the call: {@code EOPNOTSUPP} (not a UNIX
     *     socket)
     */
    public static @Nullable SharedBuffer receive(BufferSocket socket, BufferAccess access) throws IOException {
        ByteBuffer state = BufferNative.newState();
        try (OwnedFd duplicate = socket.duplicate()) {
            while (true) {
                int result = BufferNative.receive(state, duplicate.fd(), access.flags());
                if (result == 0) {
                    throw new EOFException("no buffer comes any more: the other end has closed the connection");
                }
                if (result != -Errno.EAGAIN) {
                    check(result, "receive a buffer");
                    return take(state);
                }
                if (!socket.await(duplicate, true)) {
                    return null;
                }
            }
        }
    }

    private static void check(int result, String what) throws NativeIoException {
        String why = why(-result);
        Errno.check(result, why.isEmpty() ? what : what + ": " + why);
    }

    private static String why(int errno) {
        return switch (errno) {
            case Errno.EBADMSG -> "what came is not the message of a buffer";
            case Errno.EPROTONOSUPPORT -> "its message is of a later version";
            case Errno.ENOMSG -> "no descriptor came with it";
            case Errno.E2BIG -> "more than one descriptor came with it";
            case Errno.EMEDIUMTYPE -> "it is not a memory file";
            case Errno.ERANGE -> "it is said to be larger than its memory file is";
            case Errno.EPERM ->
                "it is not sealed; what was moved is asked for with BufferAccess.WRITABLE, all else with COPY";
            case Errno.EBUSY -> "somebody can still write to it; take it all the same with BufferAccess.FUTURE_WRITE";
            case Errno.EROFS -> "it is sealed, but BufferAccess.WRITABLE was asked for";
            default -> "";
        };
    }

    /**
     * A duplicate of its descriptor, which the caller closes: to pass it on with another protocol.
     *
     * @throws ClosedChannelException if it is closed
     * @throws NativeIoException {@code EMFILE}
     */
    public OwnedFd duplicate() throws IOException {
        synchronized (memory) { // it cannot be closed meanwhile
            return Descriptors.duplicate(memory.fd());
        }
    }

    /** Releases this process's part of the memory. Views end. Idempotent; does not block. */
    @Override
    public void close() {
        memory.close();
        cleanable.clean(); // finds nothing to do
    }

    @Override
    public String toString() {
        String state = !isOpen() ? ", closed" : isSealed() ? ", sealed" : "";
        return "SharedBuffer[" + size + " bytes" + state + "]";
    }
}
