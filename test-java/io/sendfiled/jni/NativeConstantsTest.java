package io.sendfiled.jni;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** That the real numbers agree, the library tells when it is loaded; here is what happens when they do not. */
final class NativeConstantsTest {
    @BeforeAll
    static void load() {
        NativeLibrary.ensureAvailable();
    }

    private static String refusal(Runnable check) {
        return String.valueOf(
                assertThrows(UnsatisfiedLinkError.class, check::run).getMessage());
    }

    private static String refusal(Map<String, Integer> faults) {
        return refusal(() -> NativeConstants.check("fault", faults));
    }

    @Test
    void shouldTakeAGroupThatAgrees() {
        assertDoesNotThrow(
                () -> NativeConstants.check("fault", Map.of("malformed", 1, "anonymous", 2, "crowded", 3, "hello", 4)));
    }

    @Test
    void shouldNameANumberThatDiffers() {
        assertEquals(
                "fault.crowded is 3 in sendfiled's native library, but 4 in its classes",
                refusal(Map.of("malformed", 1, "anonymous", 2, "crowded", 4, "hello", 4)));
    }

    @Test
    void shouldNameWhatOneSideDoesNotKnow() {
        assertEquals(
                "fault.crowded is 3 in sendfiled's native library, but missing in its classes",
                refusal(Map.of("malformed", 1, "anonymous", 2, "hello", 4)));
        assertEquals(
                "fault.late is missing in sendfiled's native library, but 5 in its classes",
                refusal(Map.of("malformed", 1, "anonymous", 2, "crowded", 3, "hello", 4, "late", 5)));
    }

    @Test
    void shouldNameTheMemberThatStandsElsewhere() {
        Layout offload = new Layout("offload");
        offload.i64("task");
        offload.i16("urgent"); // and queue, the wrong way round
        offload.i16("queue");
        offload.i32("client");
        assertEquals(
                "offload.queue is 8 in sendfiled's native library, but 10 in its classes", refusal(offload::check));
    }

    @Test
    void shouldNameTheStructureWhoseEndDiffers() {
        Layout offload = new Layout("offload");
        offload.i64("task");
        offload.i16("queue");
        offload.i16("urgent");
        offload.i32("client");
        offload.i32("user");
        offload.skip(12);
        assertEquals(
                "offload.sizeof is 24 in sendfiled's native library, but 32 in its classes", refusal(offload::check));
    }
}
