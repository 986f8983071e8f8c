package io.sendfiled.support;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A peer of a daemon's control socket, which can be as rude as a test needs. One thread. */
public final class ControlPeer implements AutoCloseable {
    private final SocketChannel channel;
    private final ByteBuffer one = ByteBuffer.allocate(1);

    private ControlPeer(SocketChannel channel) {
        this.channel = channel;
    }

    public static ControlPeer connect(Path socket) throws IOException {
        return new ControlPeer(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
    }

    /** The whole answer to a line. */
    public static List<String> ask(Path socket, String line) throws IOException {
        try (ControlPeer peer = connect(socket)) {
            peer.send(line + "\n");
            return peer.rest();
        }
    }

    public void send(String bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes.getBytes(StandardCharsets.ISO_8859_1));
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    /** The next line; null at the end, also one by a reset. Blocks. */
    public String line() {
        StringBuilder line = new StringBuilder();
        try {
            while (channel.read(one.clear()) > 0) {
                if (one.get(0) == '\n') {
                    return line.toString();
                }
                line.append((char) one.get(0));
            }
        } catch (IOException e) {
            return null;
        }
        return line.length() == 0 ? null : line.toString();
    }

    /** All lines up to the end. */
    public List<String> rest() {
        List<String> lines = new ArrayList<>();
        for (String line = line(); line != null; line = line()) {
            lines.add(line);
        }
        return lines;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
