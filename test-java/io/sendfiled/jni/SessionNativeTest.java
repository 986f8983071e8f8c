package io.sendfiled.jni;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.GoldenVectors;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.OpenDescriptors;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What these classes have the C library write and read, as {@code test-native/golden/sessions.txt} has it. */
final class SessionNativeTest {
    private static final int SUBMISSIONS = 16;
    private static final int COMPLETIONS = 32;
    private static final int ARENA = 256;

    /* <sendfiled/session.h> */
    private static final int SUBMITTED_AT = 0;
    private static final int COMPLETED_AT = 128;
    private static final int RINGS_AT = 256;
    private static final int ENTRY_SIZE = 64;
    private static final int COMPLETIONS_AT = RINGS_AT + SUBMISSIONS * ENTRY_SIZE;
    private static final int ARENA_AT = COMPLETIONS_AT + COMPLETIONS * ENTRY_SIZE;
    private static final int FLAG_LINK = 2;

    @TempDir
    private Path directory;

    /** A session with {@code session_peer}, and what both share. */
    private final class Shared implements AutoCloseable {
        private final Process peer;
        private final BufferedReader lines;
        private final long session;
        private final ByteBuffer memory;

        Shared() throws IOException {
            NativeLibrary.ensureAvailable();
            peer = HelperProgram.start(
                    "session_peer",
                    directory.resolve("sendfiled.test.socket"),
                    directory.resolve("sendfiled.test.session"));
            lines = peer.inputReader(StandardCharsets.US_ASCII);
            assertEquals("ready", lines.readLine());
            session = SessionNative.open(
                    directory.toString().getBytes(StandardCharsets.UTF_8),
                    "test".getBytes(StandardCharsets.UTF_8),
                    SUBMISSIONS,
                    COMPLETIONS,
                    ARENA);
            assertTrue(session > 0, "errno " + -session);
            Path fd = Path.of("/proc", Long.toString(peer.pid()), "fd", expectMessage(vector("hello", "hello")));
            try (FileChannel channel = FileChannel.open(fd, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, ARENA_AT + ARENA)
                        .order(ByteOrder.nativeOrder());
            }
        }

        /** Of a message with these bytes: the first descriptor that has come with it, by its number there. */
        String expectMessage(GoldenVectors.Vector vector) throws IOException {
            String[] words = lines.readLine().split(" ");
            assertEquals("message", words[0]);
            assertEquals(HexFormat.of().formatHex(vector.bytes()), words[1], vector.name());
            return words[2];
        }

        byte[] bytes(int at, int length) {
            byte[] bytes = new byte[length];
            memory.get(at, bytes);
            return bytes;
        }

        @Override
        public void close() throws IOException {
            SessionNative.close(session);
            assertEquals("end", lines.readLine());
            lines.close();
        }
    }

    private static GoldenVectors.Vector vector(String kind, String name) {
        return GoldenVectors.ofKind("sessions.txt", kind).stream()
                .filter(v -> v.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static long number(GoldenVectors.Vector vector, String field) {
        return vector.has(field) ? vector.number(field) : 0;
    }

    private static byte[] bytes(GoldenVectors.Vector vector, String field) {
        return vector.has(field) ? GoldenVectors.hex(vector.field(field)) : new byte[0];
    }

    @Test
    void shouldSendEachRegistration() throws IOException {
        int before = OpenDescriptors.count();
        try (Shared shared = new Shared()) {
            int fd = SessionNative.openEvent();
            for (GoldenVectors.Vector v : GoldenVectors.ofKind("sessions.txt", "register")) {
                assertEquals(
                        0,
                        SessionNative.register(shared.session, (int) v.number("kind"), fd, v.number("user_data")),
                        v.name());
                shared.expectMessage(v);
            }
            DescriptorsNative.close(fd);
        }
        OpenDescriptors.awaitCount(before);
    }

    @Test
    void shouldWriteEachRequest() throws IOException {
        ByteBuffer request = SessionNative.newBuffer(SessionNative.REQUEST_SIZE);
        ByteBuffer options = SessionNative.newBuffer(SessionNative.OPTIONS_SIZE);
        List<GoldenVectors.Vector> vectors = GoldenVectors.ofKind("sessions.txt", "entry");
        int entries = 0;

        try (Shared shared = new Shared()) {
            for (GoldenVectors.Vector v : vectors) {
                if ((number(v, "flags") & FLAG_LINK) != 0) {
                    continue; // Java links nothing
                }
                byte[] path = bytes(v, "path");
                byte[] head = bytes(v, "head");
                ByteBuffer data = SessionNative.newBuffer(path.length + 1 + head.length);
                data.put(path).put((byte) 0).put(head);
                boolean sends = number(v, "operation") == SessionNative.SEND;
                SessionNative.putOptions(
                        options,
                        0,
                        number(v, "target"),
                        (int) number(v, "idle_ms"),
                        (int) number(v, "deadline_ms"),
                        (int) number(v, "technique"),
                        (int) number(v, "options"));
                SessionNative.putRequest(
                        request,
                        0,
                        (int) number(v, "operation"),
                        (int) number(v, "file"),
                        (int) number(v, "destination"),
                        number(v, "user_data"),
                        path.length > 0 ? SessionNative.address(data) : 0,
                        head.length > 0 ? SessionNative.address(data) + path.length + 1 : 0,
                        head.length,
                        number(v, "offset"),
                        number(v, "length"),
                        sends ? 0 : number(v, "target"),
                        sends ? SessionNative.address(options) : 0);
                assertEquals(1, SessionNative.submit(shared.session, SessionNative.address(request), 1), v.name());
                assertArrayEquals(v.bytes(), shared.bytes(RINGS_AT + entries * ENTRY_SIZE, ENTRY_SIZE), v.name());
                int at = ARENA_AT + (int) number(v, "data");
                assertArrayEquals(path, shared.bytes(at, path.length), v.name());
                assertArrayEquals(head, shared.bytes(at + path.length, head.length), v.name());
                entries++;
                assertEquals(entries, shared.memory.getInt(SUBMITTED_AT));
            }
        }
        assertEquals(vectors.size() - 1, entries);
    }

    @Test
    void shouldReadEachCompletion() throws IOException {
        SessionNative.Completions completions = new SessionNative.Completions(COMPLETIONS);
        int count = 0;

        try (Shared shared = new Shared()) {
            for (GoldenVectors.Vector v : GoldenVectors.ofKind("sessions.txt", "completion")) {
                shared.memory.put(COMPLETIONS_AT + count * ENTRY_SIZE, v.bytes());
                shared.memory.putInt(COMPLETED_AT, ++count);
                assertEquals(1, SessionNative.reap(shared.session, completions), v.name());
                assertTrue(completions.next());
                assertEquals(number(v, "user_data"), completions.userData(), v.name());
                assertEquals(number(v, "error"), completions.error(), v.name());
                assertEquals(number(v, "operation"), completions.operation(), v.name());
                assertEquals(number(v, "technique"), completions.technique(), v.name());
                assertEquals(number(v, "moved"), completions.moved(), v.name());
                assertEquals(number(v, "handle"), completions.handle(), v.name());
                assertEquals(number(v, "mode"), completions.mode(), v.name());
                assertEquals(number(v, "size"), completions.size(), v.name());
                assertEquals(number(v, "mtime_ns"), completions.modifiedNanos(), v.name());
                assertEquals(number(v, "inode"), completions.inode(), v.name());
                assertEquals(number(v, "device"), completions.device(), v.name());
                assertFalse(completions.next());
            }
        }
    }
}
