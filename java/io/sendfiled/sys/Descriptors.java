package io.sendfiled.sys;

import io.sendfiled.jni.DescriptorsNative;
import io.sendfiled.jni.NativeLibrary;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectableChannel;

/**
 * Gets descriptors out of Java objects: the one place that reads private fields of the JDK.
 *
 * <p>A channel's number alone is not safe: after {@code close()} the object keeps the old number, which the next socket
 * reuses. So the rule here is: duplicate first, ask whether the channel is open <em>then</em>, and drop the duplicate
 * if not. All methods are thread-safe and none blocks.
 */
public final class Descriptors {
    /** Which field of a class of channels holds the descriptor. Looked up once for each class, lazily. */
    private static final ClassValue<Long> SELECTABLE_FIELDS = new ClassValue<>() {
        @Override
        protected Long computeValue(Class<?> type) {
            return DescriptorsNative.fieldId(type, "fdVal", "I");
        }
    };

    private static final ClassValue<Long> FILE_FIELDS = new ClassValue<>() {
        @Override
        protected Long computeValue(Class<?> type) {
            return DescriptorsNative.fieldId(type, "fd", "Ljava/io/FileDescriptor;");
        }
    };

    private static final ClassValue<Long> NUMBER_FIELDS = new ClassValue<>() {
        @Override
        protected Long computeValue(Class<?> type) {
            return DescriptorsNative.fieldId(type, "fd", "I");
        }
    };

    private Descriptors() {}

    /**
     * A duplicate of a channel's descriptor, with {@code FD_CLOEXEC}, which the caller closes.
     *
     * <p>It shares the description (position, {@code O_NONBLOCK}) with the channel, and keeps it alive: a socket sends
     * no FIN before the last duplicate is closed.
     *
     * @param channel a selectable channel of the JDK's default provider (TCP or UNIX-domain socket, datagram, pipe) or a
     *     {@link FileChannel}
     * @throws ClosedChannelException if the channel is closed
     * @throws UnsupportedDescriptorException if this JDK or this kind of channel shows no descriptor
     * @throws NativeIoException if there are no descriptors left (EMFILE)
     */
    public static OwnedFd duplicate(Channel channel) throws IOException {
        if (!channel.isOpen()) {
            throw new ClosedChannelException();
        }
        int duplicate = DescriptorsNative.duplicate(numberOf(channel));
        return ifStillOpen(duplicate, channel.isOpen());
    }

    /**
     * A duplicate of a {@code FileDescriptor}, such as a stream's {@code getFD()}.
     *
     * @throws ClosedChannelException if it is not valid (any more)
     * @throws UnsupportedDescriptorException if this JDK's class is unknown
     * @throws NativeIoException if there are no descriptors left (EMFILE)
     */
    public static OwnedFd duplicate(FileDescriptor descriptor) throws IOException {
        if (!descriptor.valid()) {
            throw new ClosedChannelException();
        }
        int duplicate = DescriptorsNative.duplicate(numberOf(descriptor));
        return ifStillOpen(duplicate, descriptor.valid());
    }

    /**
     * A duplicate of an owned descriptor.
     *
     * @throws ClosedChannelException if it is closed
     * @throws NativeIoException if there are no descriptors left (EMFILE)
     */
    public static OwnedFd duplicate(OwnedFd descriptor) throws IOException {
        if (!descriptor.isOpen()) {
            throw new ClosedChannelException();
        }
        NativeLibrary.ensureAvailable();
        int duplicate = DescriptorsNative.duplicate(descriptor.fd());
        return ifStillOpen(duplicate, descriptor.isOpen());
    }

    /** The duplicate, unless the object was closed meanwhile: then the duplicate may be of any other file. */
    private static OwnedFd ifStillOpen(int duplicate, boolean open) throws IOException {
        if (open) {
            return OwnedFd.take(Errno.check(duplicate, "duplicate a descriptor"));
        }
        if (duplicate >= 0) {
            close(duplicate);
        }
        throw new AsynchronousCloseException();
    }

    /**
     * A duplicate of a number. The caller must ensure that the number is not closed and reused during this call.
     *
     * @throws NativeIoException EBADF if it is no open descriptor, EMFILE if none is free
     */
    public static OwnedFd duplicate(int fd) throws IOException {
        NativeLibrary.ensureAvailable();
        return OwnedFd.take(Errno.check(DescriptorsNative.duplicate(fd), "duplicate a descriptor"));
    }

    /**
     * A channel's descriptor itself, borrowed: only for a channel that no other thread can close meanwhile.
     *
     * @throws UnsupportedDescriptorException if this JDK or this kind of channel shows no descriptor
     */
    public static int numberOf(Channel channel) throws UnsupportedDescriptorException {
        NativeLibrary.ensureAvailable();
        Class<?> type = channel.getClass();
        if (channel instanceof SelectableChannel) {
            return DescriptorsNative.intField(channel, known(SELECTABLE_FIELDS.get(type), type));
        }
        if (channel instanceof FileChannel) {
            Object descriptor = DescriptorsNative.objectField(channel, known(FILE_FIELDS.get(type), type));
            if (descriptor instanceof FileDescriptor inner) {
                return numberOf(inner);
            }
        }
        throw new UnsupportedDescriptorException(type);
    }

    /**
     * A number as the JDK's streams take it; the caller's as before, and not closed by anything here.
     *
     * @param fd an open descriptor
     * @throws UnsupportedDescriptorException if this JDK's class is unknown
     */
    public static FileDescriptor ofNumber(int fd) throws UnsupportedDescriptorException {
        NativeLibrary.ensureAvailable();
        FileDescriptor descriptor = new FileDescriptor();
        DescriptorsNative.setIntField(
                descriptor, known(NUMBER_FIELDS.get(FileDescriptor.class), FileDescriptor.class), fd);
        return descriptor;
    }

    private static int numberOf(FileDescriptor descriptor) throws UnsupportedDescriptorException {
        NativeLibrary.ensureAvailable();
        return DescriptorsNative.intField(
                descriptor, known(NUMBER_FIELDS.get(FileDescriptor.class), FileDescriptor.class));
    }

    private static long known(long fieldId, Class<?> type) throws UnsupportedDescriptorException {
        if (fieldId == 0) {
            throw new UnsupportedDescriptorException(type);
        }
        return fieldId;
    }

    /**
     * Keeps a channel's descriptor out of the programs that this process starts. {@code Pipe.open()} forgets to.
     *
     * @param channel a channel that no other thread can close meanwhile
     * @throws UnsupportedDescriptorException if this JDK or this kind of channel shows no descriptor
     * @throws NativeIoException if the kernel refuses, which is not expected
     */
    public static void setCloseOnExec(Channel channel) throws IOException {
        Errno.check(DescriptorsNative.setCloseOnExec(numberOf(channel)), "set FD_CLOEXEC");
    }

    /** Whether a descriptor is a terminal; false when it is not open. */
    public static boolean isTerminal(int fd) {
        NativeLibrary.ensureAvailable();
        return DescriptorsNative.isTerminal(fd);
    }

    /** A terminal's columns, as they are now; 0 when it does not know them, and for what is no terminal. */
    public static int terminalWidth(int fd) {
        NativeLibrary.ensureAvailable();
        return DescriptorsNative.terminalWidth(fd);
    }

    /**
     * Whether a descriptor is in non-blocking mode, which it shares with all its duplicates.
     *
     * @throws NativeIoException EBADF if it is not open
     */
    public static boolean isNonBlocking(int fd) throws IOException {
        NativeLibrary.ensureAvailable();
        return Errno.check(DescriptorsNative.isNonBlocking(fd), "ask for O_NONBLOCK") != 0;
    }

    static void close(int fd) throws IOException {
        NativeLibrary.ensureAvailable();
        Errno.check(DescriptorsNative.close(fd), "close");
    }
}
