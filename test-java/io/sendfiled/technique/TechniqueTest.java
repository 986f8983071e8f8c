package io.sendfiled.technique;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class TechniqueTest {
    /** As in include/sendfiled/options.h. */
    private static final List<Technique> BY_NUMBER = List.of(
            Technique.AUTO,
            Technique.SENDFILE,
            Technique.SPLICE,
            Technique.MMAP,
            Technique.READ_WRITE,
            Technique.COPY_FILE_RANGE);

    @Test
    void shouldBeFoundByNumberAndByName() {
        assertEquals(BY_NUMBER, List.of(Technique.values()));
        for (int number = 0; number < BY_NUMBER.size(); number++) {
            Technique technique = BY_NUMBER.get(number);
            assertEquals(number, technique.code());
            assertSame(technique, Technique.of(number));
            assertSame(technique, Technique.of(technique.label()));
        }
    }

    @Test
    void shouldNotBeFoundByNumbersAndNamesThatAreNone() {
        assertNull(Technique.of(-1));
        assertNull(Technique.of(6));
        assertNull(Technique.of("SENDFILE"));
        assertNull(Technique.of(""));
    }

    @Test
    void shouldStandInASetAsTheBitOfItsNumber() {
        assertEquals(Set.of(Technique.SENDFILE, Technique.MMAP, Technique.READ_WRITE), Technique.setOf(0b11010));
        assertEquals(Set.of(), Technique.setOf(0));
        assertEquals(Set.copyOf(BY_NUMBER), Technique.setOf(-1));
        assertTrue(Technique.SPLICE.isIn(0b100));
        assertFalse(Technique.SPLICE.isIn(0b11));
    }
}
