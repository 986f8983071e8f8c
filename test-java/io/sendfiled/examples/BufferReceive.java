package io.sendfiled.examples;

import io.sendfiled.buffer.SharedBuffer;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.util.Objects;

/**
 * Takes memory from another process, {@link BufferSend} or its counterpart in C.
 *
 * <pre>
 * BufferReceive SOCKET
 * </pre>
 *
 * <p>Prints what it has received, and that nobody can change it. So it may check the bytes first and rely on them then, also
 * if it does not trust the sender: {@link SharedBuffer#receive} has refused whatever is not sealed.
 */
public final class BufferReceive {
    private BufferReceive() {}

    private static SharedBuffer receive(String path) throws IOException {
        try (SocketChannel connection =
                SocketChannel.open(UnixDomainSocketAddress.of(path))) { // not needed by the memory
            return Objects.requireNonNull(SharedBuffer.receive(connection)); // null is for non-blocking channels
        }
    }

    public static void main(String[] args) {
        if (args.length != 1 || args[0].startsWith("-")) {
            System.err.println("usage: BufferReceive SOCKET");
            System.exit(2);
        }
        boolean safe = false;
        try (SharedBuffer buffer = receive(args[0])) {
            safe = BufferReport.show(buffer, buffer.view(0, (int) Math.min(1, buffer.size())));
        } catch (EOFException e) {
            System.err.println("BufferReceive: the sender has hung up without sending a buffer");
        } catch (IOException e) {
            System.err.println("BufferReceive: " + e.getMessage());
        }
        System.exit(safe ? 0 : 1);
    }
}
