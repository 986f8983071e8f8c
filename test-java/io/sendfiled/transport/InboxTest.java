package io.sendfiled.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

final class InboxTest {
    private static final ByteBuffer BYTES = ByteBuffer.allocate(1_000);

    @Test
    void shouldBeScheduledOnceForAllThatComesBeforeItRuns() {
        RecordedCall call = new RecordedCall();
        Inbox inbox = new Inbox(call);

        assertTrue(inbox.add(BYTES, 0, 96));
        assertFalse(inbox.add(BYTES, 96, 900));
        assertFalse(inbox.addEnd());
        inbox.run();

        assertEquals(List.of("996 bytes", "end"), call.events());
        assertTrue(inbox.add(BYTES, 0, 1), "it is to be scheduled again");
    }

    @Test
    void shouldPassOnWhatComesWhileItPassesOnAndSayThatTheThreadDoesSo() {
        Inbox[] made = new Inbox[1];
        boolean[] others = {true};
        RecordedCall call = new RecordedCall() {
            @Override
            public void onMessages(ByteBuffer bytes) {
                if (events().isEmpty()) {
                    made[0].addEnd();
                    others[0] = made[0].empty();
                }
                super.onMessages(bytes);
            }
        };
        made[0] = new Inbox(call);
        assertTrue(made[0].add(BYTES, 0, 7));
        made[0].run();

        assertEquals(List.of("7 bytes", "end"), call.events());
        assertFalse(others[0], "nothing comes while this thread waits");
    }
}
