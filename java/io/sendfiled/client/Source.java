package io.sendfiled.client;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A regular file that this process has open for reading, for {@link FileRequest#of(Source)}: what it could open needs
 * neither the daemon's rights nor its root.
 *
 * <p>A source stays its owner's. The client takes a duplicate when the transfer is submitted, so the original may be
 * closed from then on. Its position is neither used nor moved. The daemon can do with the file what the descriptor
 * allows for as long as the transfer lasts: open it for reading only.
 *
 * <p>For what is no channel of the JDK's, implement the one method: {@code () -> Descriptors.duplicate(number)}.
 */
@FunctionalInterface
public interface Source {
    /**
     * A duplicate of the descriptor, which the caller closes. Must be sure to duplicate what is meant: see
     * {@link Descriptors}.
     *
     * @throws IOException if the source is closed, or there are no descriptors left
     */
    OwnedFd duplicate() throws IOException;

    /** What messages call it. */
    default String name() {
        return "an open file";
    }

    /** How many bytes of it belong to it; 0: as many as the file has. */
    default long size() {
        return 0;
    }

    /**
     * Memory. It is {@linkplain SharedBuffer#seal sealed} when the transfer is submitted, if it is not: what a socket has
     * accepted are its very pages.
     */
    static Source of(SharedBuffer buffer) {
        return new Source() {
            @Override
            public OwnedFd duplicate() throws IOException {
                buffer.seal();
                return buffer.duplicate();
            }

            @Override
            public String name() {
                return buffer.toString();
            }

            @Override
            public long size() { // the file has whole pages, which may be huge
                return buffer.size();
            }
        };
    }

    /** A file that is open for reading. */
    static Source of(FileChannel channel) {
        return () -> Descriptors.duplicate(channel);
    }

    /** What a stream has open, such as {@code FileInputStream.getFD()}. */
    static Source of(FileDescriptor descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }

    /** A descriptor of one's own. */
    static Source of(OwnedFd descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }

    /**
     * A file that the client opens when the transfer is submitted, on the thread that submits, which the disk can hold up:
     * an event loop lets the daemon open its files.
     */
    static Source of(Path file) {
        return new Source() {
            @Override
            public OwnedFd duplicate() throws IOException {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                    return Descriptors.duplicate(channel);
                }
            }

            @Override
            public String name() {
                return file.toString();
            }
        };
    }
}
