package io.sendfiled.jni;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

final class NativeLibraryTest {
    @Test
    void shouldLoadTheLibraryOfTheSameVersion() {
        assertNull(NativeLibrary.unavailabilityCause());
        assertTrue(NativeLibrary.isAvailable());
        NativeLibrary.ensureAvailable();
    }

    @Test
    void shouldKnowItsVersion() {
        assertTrue(NativeLibrary.version().matches("\\d+\\.\\d+\\.\\d+.*"), NativeLibrary.version());
    }

    @Test
    void shouldNameArchitecturesAsTheJarDoes() {
        assertEquals(-1, NativeLibrary.architecture().indexOf("amd64"));
    }
}
