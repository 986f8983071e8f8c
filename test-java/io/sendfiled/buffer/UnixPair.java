package io.sendfiled.buffer;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** Two channels of the UNIX family that are connected with each other. */
record UnixPair(SocketChannel left, SocketChannel right) implements AutoCloseable {
    static UnixPair open(Path directory) throws IOException {
        Path path = directory.resolve("pair.socket");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            SocketChannel left = SocketChannel.open(UnixDomainSocketAddress.of(path));
            return new UnixPair(left, server.accept());
        } finally {
            Files.deleteIfExists(path);
        }
    }

    @Override
    public void close() throws IOException {
        left.close();
        right.close();
    }
}
