package io.sendfiled.buffer;

import io.sendfiled.jni.ClientNative;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.FileDescriptor;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * The UNIX socket that buffers travel over: a channel of the JDK's, or a descriptor of any type of UNIX socket (stream,
 * datagram, seqpacket). The caller keeps it.
 *
 * <p>In non-blocking mode nothing here waits: an event loop registers the channel with its own selector. In blocking mode a
 * call waits, and ends within a tenth of a second when its thread is interrupted or the channel is closed. A virtual
 * thread that waits pins its carrier thread: use a non-blocking channel there.
 */
public final class BufferSocket {
    private static final int WAIT_MS = 100;

    private interface Opener {
        OwnedFd duplicate() throws IOException;
    }

    private final Opener opener;
    private final @Nullable SocketChannel channel;

    private BufferSocket(Opener opener, @Nullable SocketChannel channel) {
        this.opener = opener;
        this.channel = channel;
    }

    /** A connected channel of the UNIX family. */
    public static BufferSocket of(SocketChannel channel) {
        return new BufferSocket(() -> Descriptors.duplicate(channel), channel);
    }

    /** The socket of a {@code FileDescriptor}. */
    public static BufferSocket of(FileDescriptor descriptor) {
        return new BufferSocket(() -> Descriptors.duplicate(descriptor), null);
    }

    /** A descriptor that the caller owns. */
    public static BufferSocket of(OwnedFd descriptor) {
        return new BufferSocket(() -> Descriptors.duplicate(descriptor), null);
    }

    /** A duplicate for the length of one call: its number cannot be closed and reused meanwhile. */
    OwnedFd duplicate() throws IOException {
        return opener.duplicate();
    }

    private boolean isBlocking(OwnedFd duplicate) throws IOException {
        // The channel's own mode decides: for virtual threads newer JDKs set O_NONBLOCK on blocking channels.
        return channel != null ? channel.isBlocking() : !Descriptors.isNonBlocking(duplicate.fd());
    }

    /** Waits until the call can be tried again. False in non-blocking mode. */
    boolean await(OwnedFd duplicate, boolean toRead) throws IOException {
        if (!isBlocking(duplicate)) {
            return false;
        }
        int ready = 0;
        while (ready == 0) {
            ready = toRead
                    ? ClientNative.waitReadable(duplicate.fd(), WAIT_MS)
                    : ClientNative.waitWritable(duplicate.fd(), WAIT_MS);
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("interrupted while waiting for a buffer to pass");
            }
            if (channel != null && !channel.isOpen()) {
                throw new AsynchronousCloseException();
            }
        }
        return true; // the next try of the call reports the error
    }
}
