package io.sendfiled.client;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.SocketChannel;

/**
 * Where a file is to be sent: a stream socket, a UNIX seqpacket socket, a pipe, a regular file open for writing, {@code
 * /dev/null} or a terminal.
 *
 * <p>The caller keeps the destination. The client makes a duplicate when the transfer is submitted, and neither closes
 * the original nor changes its mode (blocking or not). Until the transfer's result is there, nothing else may write to
 * it. Closing it does not end the transfer, because the daemon has a duplicate: cancel first.
 *
 * <p>For a channel of another library, implement the one method: {@code () -> Descriptors.duplicate(number)}.
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

    /** A connected TCP or UNIX-domain socket, blocking or not. */
    static Destination of(SocketChannel channel) {
        return () -> Descriptors.duplicate(channel);
    }

    /** A pipe. */
    static Destination of(Pipe.SinkChannel channel) {
        return () -> Descriptors.duplicate(channel);
    }

    /**
     * A file that is open for writing; the bytes go from its position on. It is moved behind the last byte when the
     * transfer is complete or has failed, and stays where it was when the transfer was cancelled or timed out.
     */
    static Destination of(FileChannel channel) {
        return () -> Descriptors.duplicate(channel);
    }

    /** The descriptor of a stream, such as {@link FileDescriptor#out}. */
    static Destination of(FileDescriptor descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }

    /** A descriptor that the caller owns. */
    static Destination of(OwnedFd descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }
}
