package io.sendfiled.bench;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.client.BufferTransfer;
import io.sendfiled.client.SendfiledClient;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Locale;
import java.util.zip.Adler32;

/** The demo's part about memory: a file is read into it, and a C program of its own process gets it. */
final class DemoMemory {
    private static final String RECEIVER = "buffer_receive"; // test-native/examples

    private final Screen screen;
    private final Programs programs;

    DemoMemory(Screen screen, Programs programs) {
        this.screen = screen;
        this.programs = programs;
    }

    /** Shows it. Throws if a byte is wrong, or somebody can write to what was handed over. */
    void show(SendfiledClient client, String file, String sha256, Path directory)
            throws IOException, InterruptedException {
        screen.working("reading " + file + " into memory");
        long start = System.nanoTime();
        BufferTransfer transfer = client.readBuffer(file);
        transfer.await();
        try (SharedBuffer buffer = transfer.buffer().join()) {
            double elapsed = (System.nanoTime() - start) / 1e3;
            expect(sha256(buffer).equals(sha256), file + " in memory: wrong bytes");
            screen.step(
                    "read into memory",
                    Units.size(buffer.size()) + " without a pipe in " + Units.micros(elapsed)
                            + ", sealed, SHA-256 right");
            handOver(buffer, directory.resolve("memory.socket"));
        }
    }

    private static String sha256(SharedBuffer buffer) {
        MessageDigest digest = Demo.newDigest();
        digest.update(buffer.bytes());
        return HexFormat.of().formatHex(digest.digest());
    }

    private void handOver(SharedBuffer buffer, Path path) throws IOException, InterruptedException {
        Process receiver = null;
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            warmUp(server);
            receiver = new ProcessBuilder(Programs.command(programs.helper(RECEIVER), path))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            double elapsed;
            try (SocketChannel channel = server.accept()) {
                long start = System.nanoTime();
                buffer.send(channel);
                elapsed = (System.nanoTime() - start) / 1e3;
            }
            String told = new String(receiver.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            Adler32 sum = new Adler32();
            sum.update(buffer.bytes());
            expect(
                    receiver.waitFor() == 0 && told.contains(String.format(Locale.ROOT, "%08x", sum.getValue())),
                    RECEIVER + " got something else:\n" + told);
            screen.step(
                    "memory handed over",
                    Units.size(buffer.size()) + " to a C program in " + Units.micros(elapsed)
                            + ", nothing copied; neither side can write to it");
        } finally {
            if (receiver != null) {
                receiver.destroyForcibly();
            }
            Files.deleteIfExists(path);
        }
    }

    /** The first hand-over of a JVM loads classes. */
    private static void warmUp(ServerSocketChannel server) throws IOException {
        try (SocketChannel left = SocketChannel.open(server.getLocalAddress());
                SocketChannel right = server.accept();
                SharedBuffer small = SharedBuffer.allocate(1)) {
            small.send(left);
            try (SharedBuffer received = SharedBuffer.receive(right)) {
                expect(received != null && received.size() == 1, "a buffer got lost in this process");
            }
        }
    }

    private static void expect(boolean right, String otherwise) throws IOException {
        if (!right) {
            throw new IOException(otherwise);
        }
    }
}
