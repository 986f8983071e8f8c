package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.Sendfiled;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.SocketDirectories;
import io.sendfiled.counters.Counter;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Target;
import io.sendfiled.support.TestDestination;
import io.sendfiled.support.Way;
import io.sendfiled.technique.DestinationType;
import io.sendfiled.technique.Technique;
import io.sendfiled.technique.TechniqueSelector;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** An embedded engine whose techniques somebody else chooses: what is asked, and that no answer can hurt. */
@Timeout(60)
final class SelectorIT {
    private static final int SIZE = 100_000;

    /** What a selector was asked. */
    private record Question(long size, DestinationType type, boolean blocking, String thread) {}

    @TempDir
    private Path directory;

    private final BlockingQueue<Question> questions = new LinkedBlockingQueue<>();
    private Content content = Content.NOTHING;
    private int descriptors;
    private @Nullable Sendfiled launched;
    private @Nullable RawClient connected;

    @BeforeEach
    void makeFile() throws Exception {
        Path root = Files.createDirectory(directory.resolve("root"));
        content = Content.write(root.resolve("file"), SIZE);
    }

    private void launch(TechniqueSelector selector) throws Exception {
        SendfiledConfig config = SendfiledConfig.builder()
                .name("test")
                .root(directory.resolve("root"))
                .socketDirectory(directory)
                .loops(1)
                .build();
        launched = Sendfiled.launch(config, (size, type, blocking) -> {
            questions.add(
                    new Question(size, type, blocking, Thread.currentThread().getName()));
            return selector.choose(size, type, blocking);
        });
        connected = new RawClient(directory.resolve(SocketDirectories.socketFile("test")));
        send(Target.TCP, Way.AUTO); // what is opened once stays open
        questions.clear();
        descriptors = OpenDescriptors.settledCount(ProcessHandle.current().pid());
    }

    @AfterEach
    void stop() throws Exception {
        Sendfiled engine = Objects.requireNonNull(launched);
        try {
            OpenDescriptors.awaitCount(descriptors);
            assertNull(engine.failure());
        } finally {
            client().close();
            engine.close();
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void shouldTellTheSizeAndTheDestinationAndTakeWhatIsChosen(Target target) throws Exception {
        launch((size, type, blocking) -> Technique.MMAP);

        assertEquals(Way.MMAP, send(target, Way.AUTO));

        assertEquals(new Question(SIZE, type(target), blocking(target), "sendfiled-loop-0"), asked());
        assertTrue(questions.isEmpty());
    }

    @Test
    void shouldAskForTheSizeOfTheRangeAndForReadsAndForVersion1AsWell() throws Exception {
        launch((size, type, blocking) -> Technique.READ_WRITE);

        try (Status status = client().request(ExtendedRequest.read("file").range(1, 60_000), -1, -1)) {
            assertEquals(60_000, status.info().size());
            assertEquals(60_000, Content.drain(status.source(), 60_000).size());
            assertEquals(Way.READ_WRITE, Outcome.ofTrailer(status).way());
        }
        assertEquals(60_000, asked().size());
        try (Status status = client().request(Wire.READ_FILE, "file")) {
            assertEquals(SIZE, status.info().size());
            assertEquals(content, Content.drain(status.source()));
        }
        assertEquals(new Question(SIZE, DestinationType.PIPE, true, "sendfiled-loop-0"), asked());
    }

    @Test
    void shouldAskOnceAnOpenedFileIsSent() throws Exception {
        launch((size, type, blocking) -> Technique.READ_WRITE);
        try (TestDestination destination = Target.UNIX.open(directory);
                Status status = client().request(ExtendedRequest.open("file"), -1, -1)) {
            long id = status.info().id();
            assertTrue(questions.isEmpty());
            CompletableFuture<Content> received = destination.receive();
            client().sendOpenFile(id, destination.fd());

            assertEquals(Way.READ_WRITE, Outcome.ofRest(status).way());
            assertEquals(DestinationType.UNIX, asked().type());
            destination.finishSending();
            assertEquals(content, received.get(20, TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldNotAskWhenTheRequestHasChosen() throws Exception {
        launch((size, type, blocking) -> Technique.SENDFILE);

        assertEquals(Way.READ_WRITE, send(Target.TCP, Way.READ_WRITE));
        assertTrue(questions.isEmpty());
    }

    @Test
    void shouldServeManyAtOnce() throws Exception {
        launch((size, type, blocking) -> type == DestinationType.TCP ? Technique.MMAP : Technique.READ_WRITE);
        List<TestDestination> destinations = new ArrayList<>();
        List<CompletableFuture<Content>> received = new ArrayList<>();
        List<Status> statuses = new ArrayList<>();
        for (int i = 0; i < 100; i++) { // more than the engine asks in one turn
            Target target = i % 2 == 0 ? Target.TCP : Target.UNIX;
            TestDestination destination = target.open(directory);
            destinations.add(destination);
            received.add(destination.receive());
            statuses.add(client().request(ExtendedRequest.send("file"), destination.fd(), -1));
        }
        for (int i = 0; i < 100; i++) {
            try (Status status = statuses.get(i);
                    TestDestination destination = destinations.get(i)) {
                Outcome outcome = Outcome.ofSend(status);
                assertTrue(outcome.complete(), outcome.toString());
                assertEquals(i % 2 == 0 ? Way.MMAP : Way.READ_WRITE, outcome.way());
                destination.finishSending();
                assertEquals(content, received.get(i).get(20, TimeUnit.SECONDS));
            }
        }
        assertEquals(100, questions.size());
    }

    static Stream<TechniqueSelector> answersThatDoNotFit() {
        return Stream.of(
                (size, type, blocking) -> Technique.SPLICE,
                (size, type, blocking) -> Technique.COPY_FILE_RANGE,
                (size, type, blocking) -> nothing(),
                (size, type, blocking) -> {
                    throw new IllegalStateException("a selector's own fault");
                },
                (size, type, blocking) -> {
                    throw new StackOverflowError("a selector's own fault");
                });
    }

    @SuppressWarnings("NullAway") // what others may do all the same
    private static Technique nothing() {
        return null;
    }

    @ParameterizedTest
    @MethodSource("answersThatDoNotFit")
    void shouldGoByTheRulesWhenTheAnswerIsNone(TechniqueSelector selector) throws Exception {
        launch(selector);

        for (int i = 0; i < 3; i++) {
            assertEquals(Way.SENDFILE, send(Target.TCP, Way.AUTO));
            assertEquals(Way.READ_WRITE, send(Target.UNIX_BLOCKING, Way.AUTO));
        }
        assertEquals(6, questions.size());
        assertEquals(7, unfitChoices()); // and that of the launch
    }

    @Test
    void shouldLeaveToTheRulesWhatTheSelectorDoesNotCareAbout() throws Exception {
        launch((size, type, blocking) -> Technique.AUTO);

        assertEquals(Way.SENDFILE, send(Target.TCP, Way.AUTO));
        assertEquals(0, unfitChoices());
    }

    private long unfitChoices() {
        return Objects.requireNonNull(launched).counters().get(Counter.UNFIT_SELECTIONS);
    }

    private Question asked() throws InterruptedException {
        return Objects.requireNonNull(questions.poll(20, TimeUnit.SECONDS));
    }

    private static DestinationType type(Target target) {
        return switch (target) {
            case TCP, TCP_BLOCKING -> DestinationType.TCP;
            case UNIX, UNIX_BLOCKING -> DestinationType.UNIX;
            case PIPE, PIPE_NON_BLOCKING -> DestinationType.PIPE;
            case FILE, FILE_AT_A_POSITION, FILE_FOR_APPENDING, MEMORY_FILE -> DestinationType.FILE;
            case NULL_DEVICE, TERMINAL -> DestinationType.DEVICE;
        };
    }

    /** A terminal gets a description of the engine's own. */
    private static boolean blocking(Target target) {
        return switch (target) {
            case TCP, UNIX, PIPE_NON_BLOCKING, TERMINAL -> false;
            default -> true;
        };
    }

    private Way send(Target target, Way way) throws Exception {
        try (TestDestination destination = target.open(directory);
                Status status = client().request(ExtendedRequest.send("file").by(way.number()), destination.fd(), -1)) {
            CompletableFuture<Content> received = destination.receive();
            Outcome outcome = Outcome.ofSend(status);
            assertTrue(outcome.complete(), target + ": " + outcome);
            destination.finishSending();
            assertEquals(target.keepsBytes() ? content : Content.NOTHING, received.get(20, TimeUnit.SECONDS));
            return outcome.way();
        }
    }

    private RawClient client() {
        return Objects.requireNonNull(connected);
    }
}
