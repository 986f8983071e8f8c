package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.handler.codec.http.HttpServerCodec;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.Scale;
import io.sendfiled.system.ClientKind;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.TestDaemon;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Thousands of answers on few connections: files of all sizes, hot and cold, other writes between them; each is the right one. */
@Timeout(120)
final class NettyPipeliningIT {
    private static final int REQUESTS = Scale.of("netty.requests", 10_000);
    private static final int CONNECTIONS = 8;
    private static final int BURST = 40;
    private static final String LIMIT = "client-transfers";
    private static final int[] SIZES = {
        0, 1, 100, 4096, 5000, 16_384, 16_385, 20_000, 65_536, 100_000, 262_144, 300_001, 1 << 20, 2 << 20
    };

    @TempDir
    @SuppressWarnings("UnusedVariable") // the daemon's
    private static Path directory;

    @Daemon(LIMIT + "=400")
    private static TestDaemon daemon;

    private static Content[] contents;

    @BeforeAll
    static void makeFiles() throws Exception {
        contents = new Content[SIZES.length];
        for (int i = 0; i < SIZES.length; i++) {
            contents[i] = Content.write(file(i), SIZES[i]);
        }
    }

    private static Path file(int i) {
        return daemon.root().resolve("f" + i);
    }

    @ParameterizedTest
    @CsvSource({"NIO, EMBEDDED", "EPOLL, EMBEDDED", "NIO, FORKED", "EPOLL, FORKED"})
    void shouldAnswerThousandsOfPipelinedRequestsInTheirOrder(Transport transport, TestDaemon.Kind kind)
            throws Exception {
        if (kind == TestDaemon.Kind.FORKED) {
            answer(transport, daemon.client());
            return;
        }
        int descriptors = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        try (ClientKind.Running engine =
                ClientKind.EMBEDDED_COLD.start(daemon.directory(), daemon.root(), Map.of(LIMIT, "400"))) {
            answer(transport, engine.client());
        }
        OpenDescriptors.awaitCount(descriptors);
    }

    private static void answer(Transport transport, SendfiledClient client) throws Exception {
        int descriptors = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        AtomicBoolean over = new AtomicBoolean();
        ExecutorService threads = Executors.newCachedThreadPool();
        try (HotRoot root = HotRoot.open(daemon.root())) {
            SendfiledFiles files = SendfiledFiles.of(client, root);
            try (NettyServer server = NettyServer.start(
                    transport,
                    pipeline -> pipeline.addLast(
                            new SendfiledHandler(), new HttpServerCodec(), new FileResponder(files)))) {
                Future<?> evictor = threads.submit(() -> {
                    evictUntil(over);
                    return null;
                });
                List<Future<?>> clients = new ArrayList<>();
                for (int i = 0; i < CONNECTIONS; i++) {
                    int seed = i;
                    clients.add(threads.submit(() -> {
                        ask(server, seed);
                        return null;
                    }));
                }
                for (Future<?> asking : clients) {
                    asking.get();
                }
                over.set(true);
                evictor.get();
            }
        } finally {
            over.set(true);
            threads.shutdown();
            assertTrue(threads.awaitTermination(20, TimeUnit.SECONDS));
        }
        OpenDescriptors.awaitCount(descriptors);
    }

    private static void ask(NettyServer server, int seed) throws Exception {
        SplittableRandom random = new SplittableRandom(seed);
        try (SocketChannel socket = server.connect()) {
            HttpClientSide client = new HttpClientSide(socket);
            for (int done = 0; done < REQUESTS / CONNECTIONS; done += BURST) {
                List<String> paths = new ArrayList<>();
                List<HttpClientSide.Answer> expected = new ArrayList<>();
                for (int i = 0; i < BURST; i++) {
                    int file = random.nextInt(20) == 0 ? random.nextInt(SIZES.length) : random.nextInt(9);
                    switch (random.nextInt(10)) {
                        case 0 -> {
                            paths.add("text/" + file);
                            expected.add(new HttpClientSide.Answer(200, Content.of(new byte[file])));
                        }
                        case 1 -> {
                            paths.add("missing");
                            expected.add(new HttpClientSide.Answer(404, Content.NOTHING));
                        }
                        case 2, 3 -> {
                            paths.add("lazy/" + SIZES[file] + "/f" + file);
                            expected.add(new HttpClientSide.Answer(200, contents[file]));
                        }
                        default -> {
                            paths.add("f" + file);
                            expected.add(new HttpClientSide.Answer(200, contents[file]));
                        }
                    }
                }
                client.request(paths);
                for (int i = 0; i < BURST; i++) {
                    assertEquals(expected.get(i), client.answer(), "answer " + (done + i) + ", to " + paths.get(i));
                }
            }
        }
    }

    /** Takes pages away under the transfers: whole files, and the ends of others. */
    private static void evictUntil(AtomicBoolean over) throws Exception {
        for (int i = 0; !over.get(); i = (i + 1) % SIZES.length) {
            PageCache.evictFrom(file(i), i % 2 == 0 ? 0 : SIZES[i] / 2);
        }
    }
}
