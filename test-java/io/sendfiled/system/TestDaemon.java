package io.sendfiled.system;

import static org.junit.jupiter.api.Assertions.assertNull;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.config.SocketDirectories;
import io.sendfiled.counters.Counter;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.Scale;
import io.sendfiled.support.TestDestination;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A daemon for one test class: the engine inside this JVM, or the program as a process of its own. The tests' one body
 * does not know which.
 *
 * <p>Owns the daemon and a client; the directories are the test's.
 */
public final class TestDaemon implements AutoCloseable {
    /** Where it runs. */
    public enum Kind {
        EMBEDDED,
        FORKED
    }

    /** The kinds that {@link EachKind} stands for in this run. */
    static Stream<Kind> kinds() {
        return Scale.all() ? Stream.of(Kind.values()) : Stream.of(Kind.FORKED);
    }

    /**
     * What a test chooses; the rest is as everywhere.
     *
     * @param settings by key, as on the command line
     * @param environment of a process of its own, beside what it inherits
     */
    public record Options(Map<String, String> settings, Map<String, String> environment) {
        public static final Options STANDARD = new Options(Map.of(), Map.of())
                .withMaxTransfers(500)
                .with("open-timeout", 60_000)
                .with("stop-timeout", 0)
                .withLoops(2);

        public Options with(String key, Object value) {
            Map<String, String> changed = new TreeMap<>(settings);
            changed.put(key, value.toString());
            return new Options(changed, environment);
        }

        public Options withEnvironment(String name, Object value) {
            Map<String, String> changed = new TreeMap<>(environment);
            changed.put(name, value.toString());
            return new Options(settings, changed);
        }

        public Options withMaxTransfers(int value) {
            return with("max-transfers", value);
        }

        /** Of a process: as a user who owns no file of the test's, if root may choose. */
        public Options asOtherUser() {
            if (!Program.ROOT) {
                if (!SAID.getAndSet(true)) {
                    System.err.println("not root: the daemons of the system tests own the files that they serve");
                }
                return this;
            }
            return with(Setting.USER.key(), OTHER_USER);
        }

        public Options withOpenTimeoutMs(int value) {
            return with("open-timeout", value);
        }

        public Options withLoops(int value) {
            return with("loops", value);
        }
    }

    public static final String NAME = "test";

    /** A user who owns nothing. */
    public static final int OTHER_USER = 54321;

    private static final String WARM = ".warm";
    private static final AtomicBoolean SAID = new AtomicBoolean();

    private final Path directory;
    private final @Nullable Sendfiled embedded;
    private final @Nullable DaemonProcess forked;
    private final SendfiledClient client;
    private int descriptors;
    private boolean stopped;

    private TestDaemon(
            Path directory, @Nullable Sendfiled embedded, @Nullable DaemonProcess forked, SendfiledClient client) {
        this.directory = directory;
        this.embedded = embedded;
        this.forked = forked;
        this.client = client;
    }

    /** Starts one that serves {@code directory/root}; its socket is in {@code directory}. */
    public static TestDaemon start(Kind kind, Path directory, Options options) throws Exception {
        Path root = directory.resolve("root");
        Files.createDirectories(root);
        Sendfiled embedded = kind == Kind.EMBEDDED ? launch(directory, root, options) : null;
        DaemonProcess forked = kind == Kind.FORKED ? fork(directory, root, options) : null;
        TestDaemon daemon = null;
        boolean ready = false;
        try {
            daemon = new TestDaemon(directory, embedded, forked, SendfiledClient.connect(directory, NAME));
            daemon.warmUp();
            ready = true;
            return daemon;
        } finally { // a test that has not got it cannot close it
            if (!ready) {
                abandon(daemon, embedded, forked);
            }
        }
    }

    private static void abandon(
            @Nullable TestDaemon daemon, @Nullable Sendfiled embedded, @Nullable DaemonProcess forked)
            throws InterruptedException {
        if (daemon != null) {
            daemon.client.close();
        }
        if (embedded != null) {
            embedded.close();
        }
        if (forked != null) { // not close(): its complaints about the end would hide why there was no beginning
            forked.kill();
        }
    }

    private static Sendfiled launch(Path directory, Path root, Options options) throws IOException {
        SendfiledConfig.Builder config =
                SendfiledConfig.builder().name(NAME).root(root).socketDirectory(directory);
        for (Setting setting : Setting.values()) {
            String value = options.settings().get(setting.key());
            if (value != null && setting != Setting.USER) { // an embedded engine is this process's
                config.set(setting, value);
            }
        }
        return Sendfiled.launch(config.build());
    }

    private static DaemonProcess fork(Path directory, Path root, Options options) throws IOException {
        String user = options.settings().get(Setting.USER.key());
        if (user != null) { // it has to make its socket there, and to find what it serves
            Files.setAttribute(directory, "unix:uid", Integer.valueOf(user));
            Files.setAttribute(root, "unix:mode", 0755);
        }
        return DaemonProcess.start(
                options.environment(),
                directory,
                NAME,
                root,
                options.settings().entrySet().stream()
                        .map(setting -> "--" + setting.getKey() + "=" + setting.getValue())
                        .toArray(String[]::new));
    }

    /** What is opened once and stays open, on both sides, is open when this returns. */
    private void warmUp() throws IOException, InterruptedException, TimeoutException {
        Content.write(root().resolve(WARM), 1);
        for (TestDestination.Type type : TestDestination.Type.values()) {
            try (TestDestination destination = TestDestination.open(type, directory)) {
                Transfer transfer = client.send(FileRequest.of(WARM), destination.destination());
                transfer.await(Await.LONG);
            }
        }
        rememberDescriptors();
    }

    /** From now on, what is open is open with good reason. */
    public void rememberDescriptors() {
        descriptors = forked != null
                ? forked.settledDescriptors()
                : OpenDescriptors.settledCount(ProcessHandle.current().pid());
    }

    public SendfiledClient client() {
        return client;
    }

    /** A client that can send anything. */
    public RawClient rawClient() throws IOException {
        return new RawClient(socket());
    }

    public Path directory() {
        return directory;
    }

    public Path root() {
        return directory.resolve("root");
    }

    public Path socket() {
        return directory.resolve(SocketDirectories.socketFile(NAME));
    }

    /** The process that it runs in: this one for an embedded engine. */
    public long pid() {
        return forked != null ? forked.pid() : ProcessHandle.current().pid();
    }

    /** Whether it still runs, and nothing has gone wrong in it. */
    public boolean isAlive() {
        return forked != null ? forked.isAlive() : embedded != null && embedded.failure() == null;
    }

    private int openDescriptors() {
        return forked != null ? forked.openDescriptors() : OpenDescriptors.count();
    }

    /** From here on it holds so many more for somebody, or fewer again. */
    public void holdMore(int more) {
        descriptors += more;
    }

    /** Demands that the daemon has no more descriptors than at its start, soon; and that it is well. */
    public void expectNoLeak() {
        expectNoLeak(0);
    }

    /**
     * The same while the test holds some of its own.
     *
     * @param own how many; they count for an embedded engine
     */
    public void expectNoLeak(int own) {
        int most = descriptors + (embedded != null ? own : 0);
        Await.until("the daemon's descriptors to be " + most + " again", () -> openDescriptors() <= most);
        if (embedded != null) {
            assertNull(embedded.failure());
        }
    }

    /** What an embedded engine has counted; 0 of a process, whose counters nobody outside can read. */
    public long count(Counter counter) {
        return embedded == null ? 0 : embedded.counters().get(counter);
    }

    /** Demands that an embedded engine has counted so much, soon; nothing of a process. */
    public void expectCounted(Counter counter, long expected) {
        if (embedded != null) {
            Await.until(
                    counter + " to be " + expected, () -> embedded.counters().get(counter) == expected);
        }
    }

    public boolean hasMoreDescriptorsThanAtItsStart(int more) {
        return openDescriptors() >= descriptors + more;
    }

    /** Stops the daemon, which takes as long as {@code stop-timeout} allows; a second time it does nothing. */
    public void stop() {
        if (stopped) {
            return;
        }
        stopped = true;
        if (embedded != null) {
            embedded.close(Duration.ofMillis(embedded.config().stopTimeoutMs()));
        }
        if (forked != null) {
            forked.close();
        }
    }

    /** Asks again while another thread is in {@link #stop}: it ends at once. */
    public void hurry() {
        if (embedded != null) {
            embedded.close();
        }
        if (forked != null) {
            forked.terminate();
        }
    }

    @Override
    public void close() {
        client.close();
        stop();
    }
}
