package io.sendfiled.client;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * A regular file that this process has open for reading, for {@link FileRequest#of(Source)}: the daemon needs no right
 * to open it, and it may be outside the daemon's root.
 *
 * <p>The caller keeps the source. The client makes a duplicate when the transfer is submitted, so the original may be
 * closed from then on. Its position is neither used nor moved. The daemon can do with the file what the descriptor
 * allows for as long as the transfer lasts: open it for reading only.
 *
 * <p>For an object of another library, implement the one method.
 */
@FunctionalInterface
public interface Source {
    /**
     * A duplicate of the descriptor, which the caller closes. Must not duplicate a number that was closed and reused:
     * see {@link Descriptors}.
     *
     * @throws IOException if the source is closed, or no descriptor is free
     */
    OwnedFd duplicate() throws IOException;

    /** The name that messages show. */
    default String name() {
        return "an open file";
    }

    /** The bytes of the file that belong to the source; {@link FileRequest#TO_END}: all of them. */
    default long size() {
        return FileRequest.TO_END;
    }

    /**
     * Memory. It is {@linkplain SharedBuffer#seal sealed} when the transfer is submitted, if it is not: a socket keeps
     * references to its pages, so they must not change any more.
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
        return new ChannelEnd(channel);
    }

    /** The descriptor of a stream, such as {@code FileInputStream.getFD()}. */
    static Source of(FileDescriptor descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }

    /** A descriptor that the caller owns. */
    static Source of(OwnedFd descriptor) {
        return () -> Descriptors.duplicate(descriptor);
    }

    /**
     * A raw descriptor, such as one that native code has opened. The caller keeps it, and must not close it before the
     * request was submitted: by then its number may be another file's.
     *
     * @param number an open descriptor; one that is not is refused with {@code EBADF} when the request is submitted
     * @throws IllegalArgumentException if it is negative
     */
    static Source ofDescriptor(int number) {
        if (number < 0) {
            throw new IllegalArgumentException("not a descriptor: " + number);
        }
        return () -> Descriptors.duplicate(number);
    }

    /**
     * A file that the client opens when the transfer is submitted, on the submitting thread, which then may wait for
     * the disk. An event loop should let the daemon open its files.
     */
    static Source of(Path file) {
        return new PathSource(file);
    }
}
