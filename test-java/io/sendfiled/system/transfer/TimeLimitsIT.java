package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.TestDaemon;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Limits of time and of speed, from the setting or the request to the last message. */
@Timeout(60)
final class TimeLimitsIT {
    private static final int SIZE = 4 << 20; // more than a pipe holds

    @TempDir
    private Path directory;

    private TestDaemon start(TestDaemon.Options options) throws Exception {
        TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.EMBEDDED, directory, options);
        Content.write(daemon.root().resolve("file"), SIZE);
        return daemon;
    }

    @Test
    void shouldEndATransferOfWhichNobodyTakesAByte() throws Exception {
        try (TestDaemon daemon = start(TestDaemon.Options.STANDARD.with("idle-timeout", 50));
                RawClient client = daemon.rawClient()) {
            Pipe stuck = Pipe.open();
            try (RawClient.Status status =
                    client.request(Wire.SEND_FILE, "file", 0, 0, Descriptors.numberOf(stuck.sink()))) {
                status.info();
                byte[] rest = status.rest();
                assertEquals(Errno.ETIMEDOUT, rest[rest.length - 1], "the errno of the error that ends it");
            }
            stuck.sink().close();
            stuck.source().close();
            daemon.expectNoLeak(1); // the client's socket
        }
    }

    @Test
    void shouldEndAtTheDeadlineOfTheRequest() throws Exception {
        try (TestDaemon daemon = start(TestDaemon.Options.STANDARD);
                RawClient client = daemon.rawClient()) {
            Pipe stuck = Pipe.open();
            try (RawClient.Status status = client.request(
                    ExtendedRequest.send("file").withDeadlineMs(50), Descriptors.numberOf(stuck.sink()), -1)) {
                Outcome outcome = Outcome.ofSend(status);
                assertEquals("ETIMEDOUT", outcome.errnoName());
                assertFalse(outcome.refused());
                assertTrue(outcome.moved() > 0 && outcome.moved() < SIZE);
            }
            stuck.sink().close();
            stuck.source().close();
            daemon.expectNoLeak(1); // the client's socket
        }
    }

    @Test
    void shouldAnswerAtTheDeadlineAlthoughADiskNeverAnswers() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectory(directory.resolve("behind"));
        Content.write(behind.resolve("held"), 100_000);
        try (TestDaemon daemon = start(TestDaemon.Options.STANDARD);
                RawClient client = daemon.rawClient()) {
            try (HeldDisk disk = HeldDisk.mount(daemon.root().resolve("disk"), behind, "held")) {
                Pipe destination = Pipe.open();
                try (RawClient.Status status = client.request(
                        ExtendedRequest.send("disk/held").withDeadlineMs(50),
                        Descriptors.numberOf(destination.sink()),
                        -1)) {
                    destination.sink().close();
                    assertEquals("ETIMEDOUT", Outcome.ofSend(status).errnoName());
                    assertEquals(0, Content.drain(destination.source()).size(), "the destination is let go as well");
                }
                destination.source().close();
                disk.release();
            }
            daemon.expectNoLeak(1); // the client's socket
        }
    }

    @Test
    void shouldGoNoFasterThanItsRate() throws Exception {
        long rate = 20L * SIZE;
        try (TestDaemon daemon = start(TestDaemon.Options.STANDARD);
                RawClient client = daemon.rawClient();
                RawClient.Status status =
                        client.request(ExtendedRequest.read("file").withRate(rate), -1, -1)) {
            status.info();
            assertEquals(Content.of(daemon.root().resolve("file")), Content.drain(status.source(), SIZE));
            Outcome outcome = Outcome.ofTrailer(status);
            assertTrue(outcome.complete());
            long atOnce = 256 << 10;
            long tickNs = 20_000_000; // of the clock that the rate goes by, at the most
            assertTrue(outcome.elapsedNs() >= (SIZE - atOnce) * 1_000_000_000L / rate - tickNs);
        }
    }
}
