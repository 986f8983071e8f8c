package io.sendfiled.client;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.SocketChannel;

/**
 * Where a file is to be sent: a stream socket, a pipe, a regular file open for writing, {@code /dev/null} or a terminal.
 *
 * <p>A destination stays its owner's. The client takes a duplicate when the transfer is submitted, and neither closes the
 * original nor changes its mode (blocking or not). Until the transfer's result is there, nobody else may write to it.
 * Closing it does not end the transfer, because the daemon has a duplicate: cancel first.
 *
 * <p>For a channel of another library, implement the one method: {@code () -> Descriptors.duplicate(number)}.
 */
@FunctionalInterface
public interface Destination {
    /**
     * A duplicate of the descriptor, which the caller closes. Must be sure to duplicate what is meant: see
     * {@link Descriptors}.
     *
     * @throws IOException if the destination is closed, or there are no descriptors left
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

    /** A file that is open for writing; the bytes go where its position is, and advance it. */
    static Destination of(FileChannel channel) {
        return () -> Descriptors.duplicate(channel);
    }

    /** What a stream or a {@code Socket}'s stream has open, such as {@link FileDescriptor#out}. */
    static Destination of(FileDescriptor descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }

    /** A descriptor of one's own. */
    static Destination of(OwnedFd descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }
}
