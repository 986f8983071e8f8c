package io.sendfiled.technique;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Set;
import org.junit.jupiter.api.Test;

final class TechniquesTest {
    @Test
    void shouldHaveOrSayWhyNot() {
        assertFalse(Techniques.available().contains(Technique.AUTO));
        assertTrue(Techniques.available().contains(Technique.READ_WRITE)); // no kernel is without
        for (Technique technique : Technique.values()) {
            assertEquals(
                    technique == Technique.AUTO || Techniques.available().contains(technique),
                    Techniques.whyMissing(technique) == null);
        }
    }

    @Test
    void shouldTellWhatFits() {
        for (DestinationType type : DestinationType.values()) {
            for (boolean blocking : new boolean[] {false, true}) {
                Set<Technique> fitting = Techniques.fitting(type, blocking);

                assertTrue(Techniques.available().containsAll(fitting));
                assertTrue(fitting.contains(Technique.READ_WRITE), type + " " + fitting);
            }
        }
        assertFalse(Techniques.fitting(DestinationType.TCP, true).contains(Technique.SENDFILE));
        assertFalse(Techniques.fitting(DestinationType.DEVICE, false).contains(Technique.SENDFILE));
        assertFalse(Techniques.fitting(DestinationType.PIPE, false).contains(Technique.COPY_FILE_RANGE));
    }
}
