package io.sendfiled.transport;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.OpenDescriptors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.Arrays;
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

    private static boolean othersSelect(Thread slow) {
        return Thread.getAllStackTraces().entrySet().stream()
                .filter(entry ->
                        entry.getKey() != slow && entry.getKey().getName().startsWith(NAME))
                .flatMap(entry -> Arrays.stream(entry.getValue()))
                .anyMatch(frame -> frame.getClassName().equals("sun.nio.ch.EPoll")
                        && frame.getMethodName().equals("wait"));
    }
}
