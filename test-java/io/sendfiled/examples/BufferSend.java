package io.sendfiled.examples;

import io.sendfiled.buffer.BufferOptions;
import io.sendfiled.buffer.SharedBuffer;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Hands memory to another process, {@link BufferReceive} or its counterpart in C, without copying it.
 *
 * <pre>
 * BufferSend SOCKET &lt;FILE     the bytes of a file
 * BufferSend SOCKET SIZE      so many bytes of a pattern
 * </pre>
 *
 * <p>Waits on a UNIX socket for one receiver; prints what it has sent, and that it cannot change it any more.
 */
public final class BufferSend {
    private static final BufferOptions OPTIONS = BufferOptions.DEFAULT.withName("example");

    private BufferSend() {}

    private static SharedBuffer fromStandardInput() throws IOException {
        try (FileChannel file = new FileInputStream(FileDescriptor.in).getChannel()) {
            SharedBuffer buffer = SharedBuffer.allocate(file.size(), OPTIONS);
            try {
                for (long at = 0; at < buffer.size(); ) {
                    ByteBuffer rest = buffer.view(at, (int) Math.min(BufferReport.PIECE, buffer.size() - at));
                    int count = file.read(rest);
                    if (count < 0) {
                        throw new EOFException("it has become shorter");
                    }
                    at += count;
                }
                return buffer;
            } catch (IOException e) {
                buffer.close();
                throw e;
            }
        }
    }

    private static SharedBuffer ofPattern(long size) throws IOException {
        SharedBuffer buffer = SharedBuffer.allocate(size, OPTIONS);
        for (long at = 0; at < size; at += BufferReport.PIECE) {
            ByteBuffer piece = buffer.view(at, (int) Math.min(BufferReport.PIECE, size - at));
            for (int i = 0; piece.hasRemaining(); i++) {
                piece.put((byte) ((at + i) % 251));
            }
        }
        return buffer;
    }

    /** Waits for one receiver. The socket's name is gone when this returns. */
    private static SocketChannel acceptOne(Path path) throws IOException {
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(UnixDomainSocketAddress.of(path), 1);
            path.toFile().deleteOnExit(); // should a signal end this program first
            SocketChannel connection = listener.accept();
            Files.delete(path);
            return connection;
        }
    }

    /**
     * Sealing is a part of sending. It is done here before, as soon as the buffer is full, because it takes a while for a
     * big one, and a receiver that has come should not have to wait for that.
     */
    private static boolean sealAndSend(SharedBuffer buffer, Path path) throws IOException {
        ByteBuffer former = buffer.view(0, (int) Math.min(BufferReport.PIECE, buffer.size()));
        buffer.seal();
        try (SocketChannel connection = acceptOne(path)) {
            buffer.send(connection);
        }
        return BufferReport.show(buffer, former);
    }

    public static void main(String[] args) {
        boolean pattern = args.length == 2;
        if (args.length < 1
                || args.length > 2
                || args[0].startsWith("-")
                || (pattern && !args[1].matches("\\d{1,18}"))) {
            System.err.println("usage: BufferSend SOCKET SIZE\n       BufferSend SOCKET <FILE");
            System.exit(2);
        }
        boolean safe = false;
        try (SharedBuffer buffer = pattern ? ofPattern(Long.parseLong(args[1])) : fromStandardInput()) {
            safe = sealAndSend(buffer, Path.of(args[0]));
        } catch (IOException e) {
            System.err.println("BufferSend: " + e.getMessage());
        }
        System.exit(safe ? 0 : 1);
    }
}
