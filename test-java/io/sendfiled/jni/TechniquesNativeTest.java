package io.sendfiled.jni;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.sendfiled.support.OpenDescriptors;
import java.io.IOException;
import org.junit.jupiter.api.Test;

final class TechniquesNativeTest {
    private static final int SENDFILE = 1 << 1;
    private static final int SPLICE = 1 << 2;
    private static final int MMAP = 1 << 3;
    private static final int READ_WRITE = 1 << 4;
    private static final int COPY_FILE_RANGE = 1 << 5;

    @Test
    void shouldFindEveryTechniqueOnThisMachineAndKeepNoDescriptor() throws IOException {
        NativeLibrary.ensureAvailable();
        int before = OpenDescriptors.count();

        assertArrayEquals(new int[TechniquesNative.COUNT], TechniquesNative.probe());
        OpenDescriptors.awaitCount(before);
    }

    @Test
    void shouldTellWhatFitsEachKindOfDestination() {
        int memory = MMAP | READ_WRITE;

        assertEquals(memory | SPLICE, TechniquesNative.fits(1, 0, false));
        assertEquals(memory | SPLICE | SENDFILE, TechniquesNative.fits(1, 0, true));
        assertEquals(memory, TechniquesNative.fits(2, 0, false));
        assertEquals(memory | SENDFILE, TechniquesNative.fits(2, 0, true));
        assertEquals(memory | SENDFILE, TechniquesNative.fits(3, 0, true));
        assertEquals(memory | SENDFILE | COPY_FILE_RANGE, TechniquesNative.fits(4, 0, false));
        assertEquals(memory | SENDFILE, TechniquesNative.fits(5, TechniquesNative.DEVICE_NULL, false));
        assertEquals(memory, TechniquesNative.fits(5, TechniquesNative.DEVICE_FULL, false));
        assertEquals(memory, TechniquesNative.fits(5, TechniquesNative.DEVICE_TERMINAL, false));
        assertEquals(0, TechniquesNative.fits(5, 0, false));
        assertEquals(0, TechniquesNative.fits(0, 0, true));
    }
}
