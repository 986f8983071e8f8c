package io.sendfiled.client;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.WritableByteChannel;

/**
 * Where a file is to be sent: a stream socket, a UNIX seqpacket socket, a pipe, a regular file open for writing, {@code
 * /dev/null} or a terminal.
 *
 * <p>The caller keeps the destination. The client makes a duplicate when the transfer is submitted, and neither closes
 * the original nor changes its mode (blocking or not). Until the transfer's result is there, nothing else may write to
 * it. Closing it does not end the transfer, because the daemon has a duplicate: cancel first.
 *
 * <p>For an object of another library, implement the one method; a channel of Netty's is {@code NettyDestination.of(channel)}
 * in {@code io.sendfiled.netty}.
 */
@FunctionalInterface
public interface Destination {
    /**
     * A duplicate of the descriptor, which the caller closes. Must not duplicate a number that was closed and reused:
     * see {@link Descriptors}.
     *
     * @throws IOException if the destination is closed, or no descriptor is free
     */
    OwnedFd duplicate() throws IOException;

    /**
     * A channel, blocking or not, registered with a {@code Selector} or not: a connected TCP or UNIX-domain {@code
     * SocketChannel}, or the {@code SinkChannel} of a pipe.
     *
     * @throws IllegalArgumentException if it is a channel of another kind: it takes datagrams, or no bytes at all
     */
    static Destination of(SelectableChannel channel) {
        if (channel instanceof WritableByteChannel && !(channel instanceof DatagramChannel)) {
            return new ChannelEnd(channel);
        }
        throw new IllegalArgumentException(
                channel + " takes no stream of bytes: a destination is a SocketChannel or a Pipe.SinkChannel");
    }

    /**
     * A file that is open for writing; the bytes go from its position on. It is moved behind the last byte when the
     * transfer is complete or has failed, and stays where it was when the transfer was cancelled or timed out.
     */
    static Destination of(FileChannel channel) {
        return new ChannelEnd(channel);
    }

    /** The descriptor of a stream, such as {@link FileDescriptor#out}. */
    static Destination of(FileDescriptor descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }

    /** A descriptor that the caller owns. */
    static Destination of(OwnedFd descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }

    /**
     * A raw descriptor, such as one that native code has opened. The caller keeps it, and must not close it before the
     * request was submitted: by then its number may be another file's.
     *
     * @param number an open descriptor; one that is not is refused with {@code EBADF} when the request is submitted
     * @throws IllegalArgumentException if it is negative
     */
    static Destination ofDescriptor(int number) {
        if (number < 0) {
            throw new IllegalArgumentException("not a descriptor: " + number);
        }
        return () -> Descriptors.duplicate(number);
    }
}
