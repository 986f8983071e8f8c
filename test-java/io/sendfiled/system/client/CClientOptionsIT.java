package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Content;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.CDriver;
import io.sendfiled.system.CDriver.Outcome;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.TestDaemon;
import io.sendfiled.technique.Technique;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Requests with options and Send Descriptor, through the C client library and a daemon of its own process. */
@Timeout(120)
final class CClientOptionsIT {
    private static final int BIG = 300_001;

    @TempDir
    private Path directory;

    @Daemon(ownsFiles = true) // and its terminals
    private TestDaemon daemon;

    private CDriver driver;

    @BeforeEach
    void useWhatStaysOpen() throws IOException, InterruptedException {
        driver = new CDriver(directory, TestDaemon.NAME);
        write("first", 1);
        assertEquals(0, driver.drive("read", "first").exit());
        assertEquals(0, driver.drive("send", "first", "tcp").exit());
        daemon.rememberDescriptors();
    }

    @ParameterizedTest
    @CsvSource({
        "tcp, mmap read-write",
        "tcp/nonblocking, sendfile mmap read-write",
        "unix, sendfile mmap read-write",
        "unix/blocking, mmap read-write",
        "pipe, sendfile splice mmap read-write",
        "pipe/blocking, splice mmap read-write",
        "null, sendfile mmap read-write",
        "tty, mmap read-write"
    })
    void shouldMoveAFileByTheTechniqueThatIsAskedForOrSayWhichOnesFit(String destination, String fitting)
            throws IOException, InterruptedException {
        Content content = write("file", BIG);
        Set<Technique> fits = EnumSet.noneOf(Technique.class);
        for (String name : fitting.split(" ")) {
            fits.add(Technique.of(name));
        }

        for (Technique technique : EnumSet.complementOf(EnumSet.of(Technique.AUTO))) {
            String option = "--technique=" + technique.label();
            for (String command : List.of("send", "open-send", "send-fd")) {
                String file = command.equals("send-fd")
                        ? daemon.root().resolve("file").toString()
                        : "file";
                Outcome outcome = driver.drive(command, file, destination, option);
                String what = command + " to " + destination + " by " + technique.label() + ": " + outcome.json();

                if (fits.contains(technique)) {
                    assertMoved(outcome, BIG, what);
                    assertEquals(technique.label(), outcome.string("technique"), what);
                    if (!destination.equals("null")) {
                        assertEquals(content.sha256(), outcome.string("sha256"), what);
                    }
                } else {
                    assertEquals(1, outcome.exit(), what);
                    assertEquals(Errno.EOPNOTSUPP, outcome.number("errno"), what);
                    assertEquals(fits, Technique.setOf((int) outcome.number("fits")), what);
                    assertEquals(0, outcome.number("received"), what);
                }
            }
        }
    }

    @Test
    void shouldWriteAFileByEveryTechniqueThatFits(@TempDir Path elsewhere) throws IOException, InterruptedException {
        Content content = write("file", BIG);
        Path copy = elsewhere.resolve("copy");

        for (String technique : List.of("auto", "copy-file-range", "sendfile", "mmap", "read-write")) {
            for (String command : List.of("send", "open-send", "send-fd")) {
                String file = command.equals("send-fd")
                        ? daemon.root().resolve("file").toString()
                        : "file";
                Outcome outcome = driver.drive(command, file, "file:" + copy, "--technique=" + technique);
                String what = command + " by " + technique + ": " + outcome.json();

                assertMoved(outcome, BIG, what);
                assertEquals(content.sha256(), Content.of(copy).sha256(), what);
            }
        }
    }

    @Test
    void shouldEndAReadWithAResultBehindTheBytes() throws IOException, InterruptedException {
        Content content = write("file", BIG);
        write("empty", 0);

        for (String option :
                List.of("--extended", "--technique=splice", "--technique=mmap", "--technique=read-write")) {
            Outcome whole = driver.drive("read", "file", option);
            Outcome range = driver.drive("read", "file", "12345", "67890", option);
            Outcome nothing = driver.drive("read", "empty", option);

            assertMoved(whole, BIG, option + ": " + whole.json());
            assertEquals(content.sha256(), whole.string("sha256"));
            assertMoved(range, 67_890, option + ": " + range.json());
            assertEquals(
                    Content.of(daemon.root().resolve("file"), 12_345, 67_890).sha256(), range.string("sha256"));
            assertMoved(nothing, 0, option + ": " + nothing.json());
        }
    }

    @Test
    void shouldSendARangeOfADescriptor() throws IOException, InterruptedException {
        write("file", BIG);
        String file = daemon.root().resolve("file").toString();

        Outcome outcome = driver.drive("send-fd", file, "tcp", "12345", "67890");

        assertMoved(outcome, 67_890, outcome.json());
        assertEquals(Content.of(daemon.root().resolve("file"), 12_345, 67_890).sha256(), outcome.string("sha256"));
        assertRefused(Errno.ERANGE, driver.drive("send-fd", file, "tcp", "" + (BIG + 1)), "beyond the end");
        assertRefused(Errno.EINVAL, driver.drive("send-fd", "/dev/null", "tcp"), "a device");
        assertRefused(Errno.EINVAL, driver.drive("send-fd", daemon.root().toString(), "tcp"), "a directory");
    }

    @Test
    void shouldSayWhyARequestIsRefused() throws IOException, InterruptedException {
        write("file", 10);

        for (String command : List.of("read", "open")) {
            assertRefused(Errno.ENOENT, driver.drive(command, "missing", "--extended"), command);
            assertRefused(Errno.ERANGE, driver.drive(command, "file", "11", "--extended"), command);
            assertRefused(Errno.EINVAL, driver.drive(command, "file", "--technique=6"), command);
        }
        assertRefused(Errno.ENOENT, driver.drive("send", "missing", "tcp", "--rate=1000"), "missing");
    }

    @Test
    void shouldEndATransferThatIsNotRead() throws IOException, InterruptedException {
        write("file", 3_000_000);

        for (String option : List.of("--deadline=100", "--idle=100")) {
            Outcome outcome = driver.drive("stall", "file", option);

            assertEquals(Errno.ETIMEDOUT, outcome.number("errno"), outcome.json());
            assertTrue(outcome.flag("ended"), outcome.json());
            assertFalse(outcome.flag("refused"), outcome.json());
            assertTrue(outcome.number("total") > 0, outcome.json());
            assertTrue(outcome.number("total") < 3_000_000, outcome.json());
        }
    }

    @Test
    void shouldEndAnOpenedFileAtItsDeadline() throws IOException, InterruptedException {
        write("file", 10);

        Outcome outcome = driver.drive("open", "file", "--deadline=100");

        assertEquals(Errno.ETIMEDOUT, outcome.number("errno"), outcome.json());
        assertTrue(outcome.flag("ended"), outcome.json());
        assertEquals(0, outcome.number("total"), outcome.json());
    }

    @Test
    void shouldCancelWithoutAMessage() throws IOException, InterruptedException {
        write("file", 3_000_000);

        for (String command : List.of("cancel", "cancel-send")) {
            Outcome outcome = driver.drive(command, "file", "--extended");

            assertEquals(0, outcome.exit(), outcome.json());
            assertFalse(outcome.flag("ended"), outcome.json());
        }
    }

    @Test
    void shouldMoveEveryByteAtALimitedRate() throws IOException, InterruptedException {
        Content content = write("file", BIG);

        for (String command : List.of("send", "open-send")) {
            Outcome outcome = driver.drive(command, "file", "unix", "--rate=2000000", "--drop-behind", "--more");

            assertMoved(outcome, BIG, outcome.json());
            assertEquals(content.sha256(), outcome.string("sha256"));
        }
    }

    @Test
    void shouldServeManyExtendedTransfersAtOnce() throws IOException, InterruptedException {
        write("small", 4096);
        write("big", BIG);
        write("empty", 0);

        Outcome outcome =
                driver.drive("many", "300", "16", daemon.root().toString(), "small", "big", "empty", "--extended");

        assertEquals(0, outcome.exit(), outcome.json());
        assertEquals(300, outcome.number("done"), outcome.json());
    }

    private static void assertMoved(Outcome outcome, long size, String what) {
        assertEquals(0, outcome.exit(), what);
        assertTrue(outcome.flag("ended"), what);
        assertTrue(outcome.flag("complete"), what);
        assertEquals(size, outcome.number("size"), what);
        assertEquals(size, outcome.number("total"), what);
        assertTrue(outcome.number("elapsedNs") > 0, what);
    }

    private static void assertRefused(int errno, Outcome outcome, String what) {
        assertEquals(1, outcome.exit(), what + ": " + outcome.json());
        assertTrue(outcome.flag("refused"), what + ": " + outcome.json());
        assertEquals(errno, outcome.number("errno"), what + ": " + outcome.json());
    }

    private Content write(String name, int size) throws IOException {
        return Content.write(daemon.root().resolve(name), size);
    }
}
