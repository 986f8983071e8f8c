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
 * datagram, seqpacket). It stays its owner's.
 *
 * <p>In non-blocking mode nothing here waits: an event loop registers the channel with its own selector. In blocking mode a
 * call waits, and ends within a tenth of a second when its thread is interrupted or the channel is closed. A virtual
 * thread that waits pins its carrier: let it use a non-blocking channel.
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

    /** What a {@code FileDescriptor} has open. */
    public static BufferSocket of(FileDescriptor descriptor) {
        return new BufferSocket(() -> Descriptors.duplicate(descriptor), null);
    }

    /** A descriptor of one's own. */
    public static BufferSocket of(OwnedFd descriptor) {
        return new BufferSocket(() -> Descriptors.duplicate(descriptor), null);
    }

    /** A duplicate for the length of one call: what it means cannot change meanwhile. */
    OwnedFd duplicate() throws IOException {
        return opener.duplicate();
    }

    private boolean isBlocking(OwnedFd duplicate) throws IOException {
        // A channel knows better: for virtual threads newer JDKs set O_NONBLOCK behind its back.
        return channel != null ? channel.isBlocking() : !Descriptors.isNonBlocking(duplicate.fd());
    }

    /** Waits until it is worth trying again. False when nobody wants to wait. */
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
        return true; // an error shows itself in what is tried next
    }
}
