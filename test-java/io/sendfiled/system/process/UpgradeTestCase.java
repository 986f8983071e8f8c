package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** What tests of upgrades share: daemons that follow each other, and clients that notice what they lose. */
abstract class UpgradeTestCase extends ProgramTestCase {
    private static final String[] STANDARD = {"--stop-timeout", "10m", "--open-timeout", "10m", "--loops", "2"};
    static final int SIZE = 300_000;
    static final int BIG = 20_000_000; // more than any receiver's buffers hold

    final void makeFiles() throws IOException {
        Content.write(root.resolve("some"), SIZE);
        Content.write(root.resolve("big"), BIG);
    }

    final Program begin(String... more) throws IOException {
        makeFiles();
        return start(with(more));
    }

    static String[] with(String... more) {
        return Stream.concat(Stream.of(STANDARD), Stream.of(more)).toArray(String[]::new);
    }

    /** Returns when it serves. */
    final Program takeOver(String... more) throws IOException {
        return start(
                with(Stream.concat(Stream.of("--take-over"), Stream.of(more)).toArray(String[]::new)));
    }

    final Path control() {
        return sockets.resolve("sendfiled.a.control");
    }

    /** Clients that read without end, and what was wrong. */
    final class Load implements AutoCloseable {
        private final Set<String> wrong = new ConcurrentSkipListSet<>();
        private final Set<String> lost = new ConcurrentSkipListSet<>();
        private final AtomicInteger done = new AtomicInteger();
        private final List<AtomicInteger> doneOfEach = new ArrayList<>();
        private final AtomicBoolean over = new AtomicBoolean();
        private final List<Thread> threads = new ArrayList<>();
        private volatile boolean mayLose;

        /** Of a thread each; some read, some send what they have opened. */
        Load(int clients) throws IOException {
            Content whole = Content.of(root.resolve("some"));
            for (int i = 0; i < clients; i++) {
                boolean opens = i % 4 == 0;
                AtomicInteger own = new AtomicInteger();
                doneOfEach.add(own);
                Thread thread = new Thread(() -> run(whole, opens, own));
                threads.add(thread);
                thread.start();
            }
        }

        private void run(Content whole, boolean opens, AtomicInteger own) {
            while (!over.get()) {
                try (RawClient raw = new RawClient(socket())) {
                    while (!over.get()) {
                        Content got = opens ? sendOpened(raw) : read(raw);
                        if (!whole.equals(got)) {
                            (got.size() < whole.size() ? lost : wrong).add("got " + got);
                        }
                        done.incrementAndGet();
                        own.incrementAndGet();
                    }
                } catch (Exception | AssertionError e) {
                    lost.add(e.toString());
                    if (!mayLose) {
                        return;
                    }
                    Await.until("a daemon", () -> over.get() || listens());
                }
            }
        }

        private boolean listens() {
            try {
                new RawClient(socket()).close();
                return true;
            } catch (IOException e) {
                return false;
            }
        }

        private Content read(RawClient raw) throws IOException {
            try (Status status = raw.request(Wire.READ_FILE, "some")) {
                status.info();
                return Content.drain(status.source());
            }
        }

        /** Perhaps of another process than the one that has opened it. */
        private Content sendOpened(RawClient raw) throws Exception {
            try (Status status = raw.request(Wire.OPEN_FILE, "some");
                    TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, scratch)) {
                raw.sendOpenFile(status.info().id(), destination.fd());
                destination.finishSending();
                return Content.drain(destination.receivingEnd());
            }
        }

        void awaitMore(int count) {
            int before = done.get();
            Await.until(
                    count + " transfers",
                    () -> done.get() >= before + count || !failures().isEmpty());
        }

        /** From here on a transfer may end early, as where its daemon is killed; no byte may be wrong. */
        void mayLose() {
            mayLose = true;
        }

        /** No more, when what each client has begun by now is over; what was lost is forgotten. */
        void mayNotLose() {
            List<Integer> before = doneOfEach.stream().map(AtomicInteger::get).toList();
            Await.until(
                    "two transfers of each client",
                    () -> IntStream.range(0, before.size())
                                    .allMatch(i -> doneOfEach.get(i).get() >= before.get(i) + 2)
                            || !wrong.isEmpty());
            mayLose = false;
            lost.clear();
        }

        List<String> failures() {
            return Stream.concat(wrong.stream(), mayLose ? Stream.of() : lost.stream())
                    .toList();
        }

        /** All that has begun is complete. */
        void end() {
            over.set(true);
            for (Thread thread : threads) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
        }

        @Override
        public void close() {
            end();
        }
    }

    /** Names in the directory of the socket. */
    final List<String> leftOver() throws IOException {
        try (Stream<Path> names = Files.list(sockets)) {
            return names.map(path -> path.getFileName().toString()).toList();
        }
    }

    /** The other one lets go of the socket when it notices that the killed one is gone, or of an upgrade that has not begun. */
    final Program retry() throws Exception {
        while (true) {
            Program program = Program.start(scratch, arguments(with("--take-over")));
            Await.until("a start", () -> program.errorsSoFar().contains("serving") || !program.isAlive());
            if (program.isAlive()) {
                return program;
            }
            String errors = program.errors();
            assertTrue(errors.contains("already running") || errors.contains("under way"), errors);
        }
    }
}
