package io.sendfiled.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.OpenDescriptors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class StatusWatcherTest {
    private static final String NAME = "sendfiled-client-test";

    private StatusWatcher watcher;
    private Pipe pipe;
    private int descriptorsBefore;

    @BeforeEach
    void start() throws IOException {
        Pipe.open().sink().close(); // whatever the JDK opens once and keeps
        descriptorsBefore = OpenDescriptors.count();
        watcher = new StatusWatcher(NAME);
        watcher.start(() -> false);
        pipe = Pipe.open();
    }

    @AfterEach
    void shouldLeakNoDescriptor() throws IOException {
        watcher.close();
        pipe.sink().close();
        pipe.source().close();
        OpenDescriptors.awaitCount(descriptorsBefore);
    }

    @Test
    void shouldWatchWhatAThreadRegistersThatHasLostTheBaton() throws Exception {
        RecordedCall call = new RecordedCall();
        call.status = pipe.source();
        assertTrue(watcher.execute(call, () -> {
            Thread slow = Thread.currentThread();
            Await.until("the spare thread to select", () -> othersSelect(slow));
            watcher.watch(call);
        }));

        pipe.sink().write(ByteBuffer.wrap(new byte[3]));

        call.await("3 bytes");
    }

    /** A read goes on without its status channel: its executor closes it behind the last word, whatever the watcher does. */
    @Test
    void shouldNotFailACallThatHasClosedItsChannelWhenItIsToBeRead() throws Exception {
        Pipe second = Pipe.open();
        Ending one = new Ending(pipe.source(), second.source());
        Ending other = new Ending(second.source(), pipe.source());
        pipe.sink().write(ByteBuffer.wrap(new byte[3]));
        second.sink().write(ByteBuffer.wrap(new byte[3]));

        assertTrue(watcher.execute(
                one,
                () -> { // one selection finds both
                    watcher.watch(one);
                    watcher.watch(other);
                }));

        Await.until(
                "one to be read",
                () -> !one.events().isEmpty() || !other.events().isEmpty());
        RecordedCall third = new RecordedCall(); // comes behind both
        CountDownLatch done = new CountDownLatch(1);
        assertTrue(watcher.execute(third, done::countDown));
        done.await();
        assertEquals(
                List.of("3 bytes"),
                Stream.concat(one.events().stream(), other.events().stream()).toList());
        second.sink().close();
        second.source().close();
    }

    /** Whichever is read first ends the other. */
    private static final class Ending extends RecordedCall {
        private final Pipe.SourceChannel others;

        Ending(Pipe.SourceChannel own, Pipe.SourceChannel others) {
            status = own;
            this.others = others;
        }

        @Override
        public void onMessages(ByteBuffer bytes) {
            super.onMessages(bytes);
            try {
                others.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static boolean othersSelect(Thread slow) {
        return Thread.getAllStackTraces().entrySet().stream()
                .filter(entry ->
                        entry.getKey() != slow && entry.getKey().getName().startsWith(NAME))
                .flatMap(entry -> Arrays.stream(entry.getValue()))
                .anyMatch(frame -> frame.getClassName().equals("sun.nio.ch.EPoll")
                        && frame.getMethodName().equals("wait"));
    }
}
