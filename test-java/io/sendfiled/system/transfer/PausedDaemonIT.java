package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.sendfiled.client.Destination;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.Transfer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.nio.channels.Pipe;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * R14: a daemon that is stopped (SIGSTOP, as by {@code docker pause}) for longer than its timeouts loses no transfer that
 * is well.
 */
@Timeout(60)
final class PausedDaemonIT {
    private static final int TIMEOUT_MS = 2000; // a busy machine needs some time to start all transfers, and to read
    private static final int SIZE = 256 << 10; // more than a pipe holds
    private static final int MANY = 100; // more than one wait for events tells of

    @TempDir
    private Path directory;

    private Content content = Content.NOTHING;

    private TestDaemon start() throws Exception {
        TestDaemon daemon = TestDaemon.start(
                TestDaemon.Kind.FORKED,
                directory,
                TestDaemon.Options.STANDARD.with("idle-timeout", TIMEOUT_MS).withOpenTimeoutMs(TIMEOUT_MS));
        content = Content.write(daemon.root().resolve("file"), SIZE);
        return daemon;
    }

    /** Stops it for twice as long as its timeouts. */
    private static void pause(TestDaemon daemon, ThrowingRunnable meanwhile) throws Exception {
        Program.signal(daemon.pid(), "STOP");
        try {
            long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(2L * TIMEOUT_MS);
            meanwhile.run();
            Await.until("the pause to be long enough", () -> System.nanoTime() - end >= 0);
        } finally {
            Program.signal(daemon.pid(), "CONT");
        }
    }

    @FunctionalInterface
    private interface ThrowingRunnable {
        void run() throws Exception;
    }

    @Test
    void shouldGoOnWhenItsReceiversReadAgain() throws Exception {
        try (TestDaemon daemon = start()) {
            List<Pipe> pipes = new ArrayList<>();
            List<Transfer> transfers = new ArrayList<>();
            for (int i = 0; i < MANY; i++) {
                Pipe pipe = Pipe.open();
                pipes.add(pipe);
                transfers.add(daemon.client().send("file", Destination.of(pipe.sink())));
                pipe.sink().close();
            }

            pause(daemon, () -> {
                for (Transfer transfer : transfers) {
                    assertFalse(transfer.result().isDone(), transfer::toString);
                }
            });
            for (int i = 0; i < MANY; i++) {
                assertEquals(content, Content.drain(pipes.get(i).source()));
                assertEquals(SIZE, transfers.get(i).await(Await.LONG).bytesMoved());
                pipes.get(i).source().close();
            }
            daemon.expectNoLeak();
        }
    }

    @Test
    void shouldObeyWhatWaitsInItsSocketBeforeItGivesAFileUp() throws Exception {
        try (TestDaemon daemon = start()) {
            OpenFile file = daemon.client().open("file").get(20, TimeUnit.SECONDS);
            Pipe pipe = Pipe.open();
            List<Transfer> sent = new ArrayList<>();

            pause(daemon, () -> sent.add(file.send(Destination.of(pipe.sink()))));
            pipe.sink().close();
            assertEquals(content, Content.drain(pipe.source()));
            assertEquals(SIZE, sent.get(0).await(Await.LONG).bytesMoved());
            pipe.source().close();
            daemon.expectNoLeak();
        }
    }
}
