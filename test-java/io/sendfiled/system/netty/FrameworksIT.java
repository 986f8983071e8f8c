package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.handler.ssl.SslContext;
import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.counters.Counter;
import io.sendfiled.examples.netty.ReactorServer;
import io.sendfiled.examples.netty.VertxServer;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.PageCache;
import io.sendfiled.support.SelfSigned;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.impl.HttpServerConnection;
import io.vertx.core.net.KeyCertOptions;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.netty.DisposableServer;
import reactor.netty.resources.LoopResources;

/** The file servers of frameworks, with one more handler in their pipelines: each on one event loop. */
@ParameterizedClass
@EnumSource(FrameworksIT.Framework.class)
@Timeout(120)
final class FrameworksIT {
    private static final long[] SIZES = {1, 4096, 100_000, 3_000_000};
    private static final int PINGS = 100;

    enum Framework {
        VERTX,
        REACTOR
    }

    @TempDir
    private static Path directory;

    private static Path root;
    private static SelfSigned certificate;
    private static HttpClient http;

    @Parameter
    Framework framework;

    private final List<AutoCloseable> open = new ArrayList<>();
    private Sendfiled engine;
    private SendfiledFiles files;
    private String address = ""; // of what was started

    @org.junit.jupiter.api.BeforeAll
    static void prepare() throws Exception {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
        root = Files.createDirectory(directory.resolve("root")).toRealPath();
        for (long size : SIZES) {
            Content.write(root.resolve("f" + size), size);
        }
        certificate = SelfSigned.in(directory);
        http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .sslContext(SelfSigned.client())
                .connectTimeout(Duration.ofSeconds(20))
                .build();
    }

    @BeforeEach
    void startEngine() throws Exception {
        engine = Sendfiled.launch(
                SendfiledConfig.builder().root(root).socketDirectory(directory).build());
        open.add(engine);
        SendfiledClient client =
                SendfiledClient.connect(directory, engine.config().name());
        open.add(0, client);
        HotRoot hot = HotRoot.open(root);
        open.add(0, hot);
        files = SendfiledFiles.of(client, hot);
    }

    private void start(boolean tls) throws Exception {
        int port = framework == Framework.VERTX ? startVertx(tls) : startReactor(tls);
        address = (tls ? "https" : "http") + "://localhost:" + port + "/";
    }

    private int startVertx(boolean tls) throws Exception {
        Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
        open.add(
                0, () -> vertx.close().toCompletionStage().toCompletableFuture().get(20, TimeUnit.SECONDS));
        var server = tls ? tlsVertx(vertx) : VertxServer.start(vertx, files, root);
        return server.listen(0, "localhost")
                .toCompletionStage()
                .toCompletableFuture()
                .get()
                .actualPort();
    }

    /** The same, but for the place of the handler. */
    private io.vertx.core.http.HttpServer tlsVertx(Vertx vertx) {
        return vertx.createHttpServer(
                        new HttpServerOptions().setSsl(true).setKeyCertOptions(KeyCertOptions.wrap(certificate.keys())))
                .connectionHandler(connection -> ((HttpServerConnection) connection)
                        .channel()
                        .pipeline()
                        .addAfter("chunkedWriter", null, new SendfiledHandler().transparent(files)))
                .requestHandler(request -> request.response()
                        .sendFile(root.resolve(request.path().substring(1)).toString()));
    }

    private int startReactor(boolean tls) {
        LoopResources loops = LoopResources.create("reactor", 1, true);
        open.add(0, () -> loops.disposeLater(Duration.ZERO, Duration.ofSeconds(20))
                .block());
        var server = tls
                ? reactor.netty.http.server.HttpServer.create()
                        .host("localhost")
                        .port(0)
                        .secure(spec -> spec.sslContext(serverContext()))
                        .doOnChannelInit((observer, channel, address) ->
                                channel.pipeline().addLast(new SendfiledHandler().transparent(files)))
                        .handle((request, response) -> response.sendFile(root.resolve(request.path())))
                : ReactorServer.create(files, root);
        DisposableServer bound = server.runOn(loops).bindNow();
        open.add(0, bound::disposeNow);
        return bound.port();
    }

    private static SslContext serverContext() {
        try {
            return certificate.server();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable one : open) {
            one.close();
        }
    }

    private CompletableFuture<Content> get(String path) {
        HttpRequest request = HttpRequest.newBuilder(URI.create(address + path)).build();
        return http.sendAsync(request, HttpResponse.BodyHandlers.ofInputStream())
                .thenApplyAsync(response -> {
                    assertEquals(200, response.statusCode());
                    try (InputStream in = response.body()) {
                        return Content.drain(Channels.newChannel(in));
                    } catch (java.io.IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldServeWarmAndColdFiles(boolean tls) throws Exception {
        start(tls);
        get("f1").get(20, TimeUnit.SECONDS);
        int descriptors = OpenDescriptors.count();
        for (int round = 0; round < 5; round++) {
            for (long size : SIZES) {
                Path file = root.resolve("f" + size);
                if (round % 2 == 1) {
                    PageCache.evict(file);
                }
                assertEquals(Content.of(file), get("f" + size).get(20, TimeUnit.SECONDS));
            }
        }
        OpenDescriptors.awaitCount(descriptors + 3); // the selector of the pipes
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldServeOthersWhileADiskIsHeld(boolean tls) throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        start(tls);
        Path behind = Files.createDirectories(directory.resolve("behind"));
        Content held = Content.write(behind.resolve("held"), 2_000_000);
        try (HeldDisk disk = HeldDisk.mount(root.resolve("disk"), behind, "held", "--hold-calls", "read,flush")) {
            CompletableFuture<Content> waiting = get("disk/held");
            disk.awaitHeld();
            for (int i = 0; i < PINGS; i++) {
                assertEquals(4096, get("f4096").get(20, TimeUnit.SECONDS).size());
            }
            assertFalse(waiting.isDone());
            disk.release();
            assertEquals(held, waiting.get(20, TimeUnit.SECONDS));
        }
        assertTrue(engine.counters().get(Counter.COMPLETED) > 0);
    }
}
