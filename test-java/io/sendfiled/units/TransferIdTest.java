package io.sendfiled.units;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

final class TransferIdTest {
    @Test
    void shouldReadWhatItWrites() {
        for (long id : List.of(1L << 48 | 1, 4L << 48 | 2034, 0x7fffL << 48 | (1L << 48) - 1)) {
            assertEquals(id, TransferId.parse(TransferId.format(id)));
            assertEquals(id, TransferId.parse(Long.toString(id)));
        }
        assertEquals("4-2034", TransferId.format(4L << 48 | 2034));
    }

    @Test
    void shouldRefuseWhatIsNoId() {
        for (String text : List.of(
                "",
                "-",
                "1-",
                "-1",
                "1-0",
                "0-1",
                "1--1",
                "+1-1",
                "1-+1",
                "1-1-1",
                "x",
                "1-x",
                "32768-1",
                "1-281474976710656",
                "9223372036854775808",
                "1 -1",
                "0")) {
            assertThrows(NumberFormatException.class, () -> TransferId.parse(text), text);
        }
    }
}
