package io.sendfiled.transport;

import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What one transfer of {@link JavaTransport} sends in one go: a range of the file, or bytes of the request. One thread. */
final class JavaPiece {
    /** What a pipe holds as a rule. */
    private static final int COPY_BYTES = 64 * 1024;

    private final @Nullable ByteBuffer bytes;
    private long offset;
    private long left;

    private JavaPiece(@Nullable ByteBuffer bytes, long offset, long length) {
        this.bytes = bytes;
        this.offset = offset;
        this.left = length;
    }

    /**
     * Of a request: its segments, or its range.
     *
     * @throws NativeIoException ERANGE if one is not inside a file of that size
     */
    static List<JavaPiece> of(TransferRequest request, long size) throws NativeIoException {
        List<JavaPiece> pieces = new ArrayList<>();
        if (request.segmentCount() == 0) {
            pieces.add(range(request.offset(), request.length(), size));
            return pieces;
        }
        ByteBuffer in = ByteBuffer.wrap(request.segments()).order(ByteOrder.nativeOrder());
        for (int i = 0; i < request.segmentCount(); i++) {
            long offset = in.getLong();
            long length = in.getLong();
            if (offset == Wire.SEGMENT_BYTES) {
                pieces.add(new JavaPiece(in.slice(in.position(), (int) length), 0, length));
                in.position(in.position() + (int) length);
            } else {
                pieces.add(range(offset, length, size));
            }
        }
        return pieces;
    }

    private static JavaPiece range(long offset, long length, long size) throws NativeIoException {
        if (offset > size || (length != Wire.TO_END && length > size - offset)) {
            throw new NativeIoException("send a range", Errno.ERANGE);
        }
        return new JavaPiece(null, offset, length == Wire.TO_END ? size - offset : length);
    }

    long length() {
        return left;
    }

    boolean isDone() {
        return left == 0;
    }

    /** Moves at most so many bytes; 0: the destination is full, or {@link #isBehind the file's end} has come before. */
    long move(FileChannel file, WritableByteChannel destination, long most) throws IOException {
        long wanted = Math.min(left, most);
        long count;
        if (bytes != null) {
            count = destination.write(bytes);
        } else if (destination instanceof Pipe.SinkChannel) {
            count = copy(file, destination, (int) Math.min(wanted, COPY_BYTES));
        } else {
            count = file.transferTo(offset, wanted, destination);
        }
        offset += count;
        left -= count;
        return count;
    }

    /* sendfile(2) to a pipe waits for the disk with the pipe locked: who closes its other end, maybe on an event loop, would
    wait for the disk as well. */
    private long copy(FileChannel file, WritableByteChannel pipe, int most) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(most);
        if (file.read(buffer, offset) <= 0) {
            return 0;
        }
        return pipe.write(buffer.flip());
    }

    /** Whether the file has become so short that the next byte is not there. */
    boolean isBehind(FileChannel file) throws IOException {
        return bytes == null && file.size() <= offset;
    }
}
