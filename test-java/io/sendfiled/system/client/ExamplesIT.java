package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.examples.SelectorServer;
import io.sendfiled.examples.ThreadServer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/** The servers that the guide shows, {@code doc/embedding.md}. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class ExamplesIT {
    private static final int SIZE = 3_000_000;
    private static final InetSocketAddress ANY = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);

    @TempDir
    @SuppressWarnings("UnusedVariable") // the daemon's
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    @Parameter
    TestDaemon.Kind kind;

    private static Content content;

    private final ExecutorService threads = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "server");
        thread.setDaemon(true);
        return thread;
    });
    private int descriptorsBefore;

    @BeforeParameterizedClassInvocation
    static void makeFile() throws Exception {
        content = Content.write(daemon.root().resolve("file"), SIZE);
    }

    @BeforeEach
    void countDescriptors() throws IOException {
        new SelectorServer(daemon.client(), ANY).close(); // what the JDK opens once and keeps
        descriptorsBefore = OpenDescriptors.count();
    }

    @AfterEach
    void shouldLeakNoDescriptor() {
        threads.shutdownNow();
        OpenDescriptors.awaitCount(descriptorsBefore);
    }

    private static Socket connect(SocketAddress address, String request) throws IOException {
        Socket socket = new Socket();
        socket.connect(address);
        socket.setSoTimeout((int) Await.LONG.toMillis());
        socket.getOutputStream().write(request.getBytes(StandardCharsets.UTF_8));
        return socket;
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            assertTrue(c >= 0, () -> "ends after " + line);
            line.append((char) c);
        }
        return line.toString();
    }

    private static void awaitAll(List<Future<Void>> all) throws Exception {
        for (Future<Void> one : all) {
            one.get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
        }
    }

    @Test
    void shouldServeManyOnOneSelector() throws Exception {
        try (SelectorServer server = new SelectorServer(daemon.client(), ANY)) {
            SocketAddress address = server.address();
            Future<?> running = threads.submit(() -> {
                server.run();
                return null;
            });
            try (Socket idle = connect(address, "fi");
                    Socket deaf = connect(address, "file\n")) {
                List<Future<Void>> all = new ArrayList<>();
                for (int i = 0; i < 32; i++) {
                    all.add(threads.submit(() -> {
                        try (Socket socket = connect(address, "file\n")) {
                            assertEquals(content, Content.drain(Channels.newChannel(socket.getInputStream())));
                        }
                        return null;
                    }));
                }
                awaitAll(all);
                try (Socket socket = connect(address, "no such file\n")) {
                    String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                    assertTrue(answer.contains("ENOENT") && answer.endsWith("\n"), answer);
                }
                try (Socket socket = connect(address, "\0\n")) {
                    assertEquals(-1, socket.getInputStream().read());
                }
                idle.getOutputStream().write("le\n".getBytes(StandardCharsets.UTF_8));
                assertEquals(content, Content.drain(Channels.newChannel(idle.getInputStream())));
                deaf.setSoLinger(true, 0); // resets what was not read
            }
            server.stop();
            running.get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
        }
    }

    @Test
    void shouldServeManyWithAThreadForEach() throws Exception {
        Future<?> running;
        try (ThreadServer server = new ThreadServer(daemon.client(), ANY, threads)) {
            SocketAddress address = server.address();
            running = threads.submit(() -> {
                server.run();
                return null;
            });
            List<Future<Void>> all = new ArrayList<>();
            for (int i = 0; i < 32; i++) {
                all.add(threads.submit(() -> {
                    try (Socket socket = connect(address, "file\nno such file\nfile\n")) {
                        InputStream in = new BufferedInputStream(socket.getInputStream());
                        assertEquals(SIZE, Integer.parseInt(line(in)));
                        assertEquals(content, Content.drain(Channels.newChannel(in), SIZE));
                        String answer = line(in);
                        assertTrue(answer.contains("ENOENT"), answer);
                        assertEquals(SIZE, Integer.parseInt(line(in)));
                        assertEquals(content, Content.drain(Channels.newChannel(in), SIZE));
                        socket.shutdownOutput();
                        assertEquals(-1, in.read());
                    }
                    return null;
                }));
            }
            awaitAll(all);
        }
        running.get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
    }
}
