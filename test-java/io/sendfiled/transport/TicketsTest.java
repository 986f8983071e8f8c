package io.sendfiled.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class TicketsTest {
    private static final int MANY = 1_000;

    private final Tickets tickets = new Tickets();

    @Test
    void shouldFindEachRequestByItsTicketUntilItIsRemoved() {
        List<LocalRequest> requests = new ArrayList<>();
        List<Long> numbers = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            requests.add(new LocalRequest(new RecordedCall()));
            numbers.add(tickets.add(requests.get(i)));
        }
        for (int i = 0; i < MANY; i++) {
            assertSame(requests.get(i), tickets.find(numbers.get(i)));
        }
        assertEquals(requests, tickets.all());
        for (long number : numbers) {
            tickets.remove(number);
            assertNull(tickets.find(number));
        }
        assertEquals(List.of(), tickets.all());
    }

    @Test
    void shouldFindNothingByATicketWhoseSlotIsUsedAgain() {
        LocalRequest next = new LocalRequest(new RecordedCall());
        long old = tickets.add(new LocalRequest(new RecordedCall()));
        tickets.remove(old);
        long number = tickets.add(next);

        assertEquals((int) old, (int) number, "the same slot");
        assertNotEquals(old, number);
        assertNull(tickets.find(old));
        tickets.remove(old);
        assertSame(next, tickets.find(number));
    }
}
