package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.config.Setting;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Target;
import io.sendfiled.support.TestDestination;
import io.sendfiled.support.Way;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.Program;
import io.sendfiled.system.Sending;
import io.sendfiled.system.Sending.Operation;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The table of thresholds in the daemon's configuration, {@code --techniques}: what it chooses, and how it is refused. */
@Timeout(60)
final class TechniqueRulesIT {
    private static final String RULES = "any<=0=read-write, tcp/blocking=mmap, tcp<=8KiB=mmap, tcp=read-write,"
            + " unix=splice, unix/blocking=sendfile, unix<=8KiB=read-write," // splice fits no socket
            + " pipe/nonblocking=sendfile, pipe<=8KiB=splice, pipe=mmap,"
            + " file<=8KiB=sendfile, file=read-write, device=mmap";
    private static final int SMALL = 8_192;
    private static final int LARGE = 8_193;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @EachKind
    void shouldTakeTheFirstRuleThatMatchesAndFits(TestDaemon.Kind kind) throws Exception {
        try (TestDaemon daemon =
                        TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD.with("techniques", RULES));
                RawClient client = daemon.rawClient()) {
            Content.write(daemon.root().resolve("small"), SMALL);
            Content.write(daemon.root().resolve("large"), LARGE);
            for (Target target : Target.values()) {
                for (Operation operation : Operation.values()) {
                    assertEquals(
                            expected(target, true),
                            send(daemon, client, operation, target, ExtendedRequest.send("small")),
                            operation + " of a small file to " + target);
                    assertEquals(
                            expected(target, false),
                            send(daemon, client, operation, target, ExtendedRequest.send("large")),
                            operation + " of a large file to " + target);
                    assertEquals(
                            expected(target, true),
                            send(
                                    daemon,
                                    client,
                                    operation,
                                    target,
                                    ExtendedRequest.send("large").range(1, SMALL)),
                            operation + " of a small range to " + target);
                }
            }
            assertEquals(Way.SPLICE, read(client, ExtendedRequest.read("small")));
            assertEquals(Way.MMAP, read(client, ExtendedRequest.read("large")));
            assertEquals(
                    Way.READ_WRITE,
                    read(client, ExtendedRequest.read("large").by(Way.READ_WRITE.number())),
                    "what a request demands goes before all rules");
        }
    }

    private static Way expected(Target target, boolean small) {
        return switch (target) {
            case TCP -> small ? Way.MMAP : Way.READ_WRITE;
            case TCP_BLOCKING -> Way.MMAP;
            case UNIX, UNIX_BLOCKING -> Way.READ_WRITE; // a large one by the engine's own choice
            case PIPE -> small ? Way.SPLICE : Way.MMAP;
            case PIPE_NON_BLOCKING -> Way.SENDFILE;
            case FILE, FILE_AT_A_POSITION, MEMORY_FILE -> small ? Way.SENDFILE : Way.READ_WRITE;
            case FILE_FOR_APPENDING -> Way.READ_WRITE; // sendfile does not fit
            case NULL_DEVICE, TERMINAL -> Way.MMAP;
        };
    }

    private Way send(TestDaemon daemon, RawClient client, Operation operation, Target target, ExtendedRequest request)
            throws Exception {
        try (TestDestination destination = target.open(directory);
                Sending sending = Sending.start(daemon, client, operation, request, destination.fd())) {
            CompletableFuture<Content> received = destination.receive();
            Outcome outcome = sending.await();
            assertTrue(outcome.complete(), target + ": " + outcome);
            destination.finishSending();
            received.get(20, TimeUnit.SECONDS);
            return outcome.way();
        }
    }

    private static Way read(RawClient client, ExtendedRequest request) throws Exception {
        try (Status status = client.request(request, -1, -1)) {
            long size = status.info().size();
            assertEquals(size, Content.drain(status.source(), size).size());
            return Outcome.ofTrailer(status).way();
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            value = {
                "frob ! 'frob' is not a rule",
                "pipe=frob ! 'frob' in 'pipe=frob' is not a technique (sendfile, splice, mmap, read-write,",
                "fifo=splice ! 'fifo' in 'fifo=splice' is not a destination (any, tcp, unix, seqpacket, socket, pipe,",
            })
    void shouldRefuseToStartWithAWrongRuleAndSayWhatIsAllowed(String rules, String problem) throws Exception {
        Path root = Files.createDirectory(directory.resolve("root"));
        try (Program program =
                Program.start(directory, "-S", directory.toString(), "-r", root.toString(), "--techniques=" + rules)) {
            assertEquals(2, program.awaitExit());
            assertEquals("", program.output());
            assertTrue(program.errors().startsWith("sendfiled: --techniques: " + problem), program.errors());
            assertEquals(1, program.errors().lines().count(), program.errors());
        }
    }

    @Test
    void shouldHaveTheStandardRulesOfItsHelp() throws Exception {
        try (Program program = Program.start(directory, "--help")) {
            assertTrue(program.output().contains("--techniques "), "--help tells of --techniques");
            assertEquals(0, program.awaitExit());
        }
        assertEquals(
                "any<=32KiB=read-write, pipe=splice, socket=sendfile, file=copy-file-range",
                Setting.TECHNIQUES.standard(),
                "Target.auto has them as well");
    }
}
