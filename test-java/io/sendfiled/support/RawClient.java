package io.sendfiled.support;

import io.sendfiled.jni.ClientNative;
import io.sendfiled.protocol.RequestEncoder;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Pipe;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * A client that sends what the test wants, sound or not, and reads a status channel byte by byte. One thread at a time.
 *
 * <p>Owns its request socket. A {@link Status} belongs to its caller.
 */
public final class RawClient implements AutoCloseable {
    private static final int PATIENCE_MS = 20_000;

    private final OwnedFd socket;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(64 * 1024).order(ByteOrder.nativeOrder());

    public RawClient(Path socketPath) throws IOException {
        socket = OwnedFd.take(Errno.check(ClientNative.openSocket(), "open a socket"));
        int result = ClientNative.connect(socket.fd(), socketPath.toString().getBytes(StandardCharsets.UTF_8));
        if (result < 0) {
            socket.close();
        }
        Errno.check(result, "connect");
    }

    /** Sends any bytes with up to two descriptors, which stay the caller's; -1: none. */
    public void send(byte[] bytes, int first, int second) throws IOException {
        send(bytes, first, second, -1);
    }

    /** Sends any bytes with up to three descriptors, which stay the caller's; -1: none. */
    public void send(byte[] bytes, int first, int second, int third) throws IOException {
        buffer.clear().put(bytes);
        send(first, second, third);
    }

    private void send(int first, int second, int third) throws IOException {
        int result;
        do {
            result = ClientNative.send(socket.fd(), buffer, buffer.position(), first, second, third);
        } while (result == -Errno.EAGAIN && ClientNative.waitWritable(socket.fd(), PATIENCE_MS) > 0);
        Errno.check(result, "send a request");
    }

    /** Sends Open or Read File for the whole of a file, and gives the status channel. */
    public Status request(int command, String path) throws IOException {
        return request(command, path, 0, 0, -1);
    }

    /** Sends Open, Read or Send File, and gives the status channel. */
    public Status request(int command, String path, long offset, long length, int destination) throws IOException {
        return request(new Status(), command, path, offset, length, destination);
    }

    /** The same with a status channel that the test has prepared. */
    public Status request(Status status, int command, String path, long offset, long length, int destination)
            throws IOException {
        buffer.clear();
        RequestEncoder.putFileRequest(buffer, command, path.getBytes(StandardCharsets.UTF_8), offset, length);
        send(Descriptors.numberOf(status.pipe.sink()), destination, -1);
        status.pipe.sink().close();
        return status;
    }

    /** Sends an extended request with the descriptors that it needs, -1: none, and gives the status channel. */
    public Status request(ExtendedRequest request, int destination, int source) throws IOException {
        return request(new Status(), request, destination, source);
    }

    /** The same with a status channel that the test has prepared. */
    public Status request(Status status, ExtendedRequest request, int destination, int source) throws IOException {
        send(request.bytes(), Descriptors.numberOf(status.pipe.sink()), destination, source);
        status.pipe.sink().close();
        return status;
    }

    public void sendOpenFile(long id, int destination) throws IOException {
        buffer.clear();
        RequestEncoder.putSendOpenFile(buffer, id);
        send(destination, -1, -1);
    }

    public void cancel(long id) throws IOException {
        buffer.clear();
        RequestEncoder.putCancel(buffer, id);
        send(-1, -1, -1);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    /** A request for the whole of a file, by PROTOCOL.md and not by our encoder. */
    public static byte[] fileRequest(int command, String path) {
        return fileRequest(command, path, 0, 0);
    }

    /** The same for a range, sound or not. */
    public static byte[] fileRequest(int command, String path, long offset, long length) {
        byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(24 + bytes.length + 1)
                .order(ByteOrder.nativeOrder())
                .put(0, (byte) command)
                .putLong(8, offset)
                .putLong(16, length)
                .put(24, bytes)
                .array();
    }

    /** File Information at the beginning of a buffer, by PROTOCOL.md and not by our decoder. */
    public static Info info(ByteBuffer buffer) {
        ByteBuffer bytes = buffer.duplicate().order(ByteOrder.nativeOrder());
        for (int i = 0; i < 8; i++) {
            if (bytes.get(i) != (i == 0 ? (byte) 0x81 : 0)) {
                throw new AssertionError("no File Information: it begins with byte " + i + " = " + bytes.get(i));
            }
        }
        return new Info(bytes.getLong(8), bytes.getLong(16), bytes.getLong(24), bytes.getLong(32), bytes.getLong(40));
    }

    /** A status channel: the client's side of it. */
    public static final class Status implements AutoCloseable {
        private final Pipe pipe;

        public Status() throws IOException {
            pipe = Pipe.open();
        }

        public Pipe.SourceChannel source() {
            return pipe.source();
        }

        public Pipe.SinkChannel sink() {
            return pipe.sink();
        }

        /** Fills the pipe until it takes nothing more, with zeros; how many. */
        public int fill() throws IOException {
            int filled = 0;
            pipe.sink().configureBlocking(false);
            for (int n = 1; n > 0; filled += n) {
                n = pipe.sink().write(ByteBuffer.allocate(4096));
            }
            return filled;
        }

        /** Exactly so many bytes, or what there is before the end. Blocks. */
        public byte[] read(int size) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocate(size);
            int n = 0;
            while (n >= 0 && bytes.hasRemaining()) {
                n = pipe.source().read(bytes);
            }
            return Arrays.copyOf(bytes.array(), bytes.position());
        }

        /** File Information. */
        public Info info() throws IOException {
            byte[] bytes = read(Wire.FILE_INFO_SIZE);
            if (bytes.length != Wire.FILE_INFO_SIZE) {
                throw new AssertionError("no File Information: " + Arrays.toString(bytes));
            }
            return RawClient.info(ByteBuffer.wrap(bytes));
        }

        /** Everything up to the end. Blocks. */
        public byte[] rest() throws IOException {
            return read(1024 * 1024);
        }

        @Override
        public void close() throws IOException {
            pipe.sink().close();
            pipe.source().close();
        }
    }

    /** The fields of File Information; times in seconds since 1970. */
    public record Info(long size, long atime, long mtime, long ctime, long id) {}
}
