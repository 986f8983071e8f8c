package io.sendfiled.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Scale;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * R1, R12, D39: the decoders of both languages say the same of the same bytes: what libFuzzer found worth keeping, the golden
 * vectors, and changes of both. {@code -Dsendfiled.codec.cases=N} says how many.
 */
final class CodecAgreementTest {
    private static final int ANSWER_SIZE = 64; // struct request_answer
    private static final int MESSAGE_SIZE = 72; // struct message_answer

    private final SplittableRandom random = new SplittableRandom(20261120);

    @TempDir
    private Path directory;

    @Test
    void shouldDecodeRequestsAsTheCDecoderDoes() throws Exception {
        List<byte[]> cases = cases("request");
        ByteBuffer answers = decodeInC('q', cases);
        RequestDecoder decoder = new RequestDecoder();
        Map<Integer, Integer> seen = new HashMap<>();

        for (byte[] bytes : cases) {
            int position = random.nextInt(3);
            ByteBuffer buf = ByteBuffer.allocate(position + bytes.length).order(ByteOrder.nativeOrder());
            buf.put(position, bytes);
            int errno = decoder.decode(buf, position, bytes.length);
            ByteBuffer said = answers.slice(answers.position(), ANSWER_SIZE).order(ByteOrder.nativeOrder());
            answers.position(answers.position() + ANSWER_SIZE);
            assertEquals(inC(said), inJava(decoder, errno, position), () -> hex(bytes));
            seen.merge(errno, 1, Integer::sum);
        }

        assertFalse(answers.hasRemaining());
        assertTrue(seen.getOrDefault(0, 0) > cases.size() / 20, "hardly any is accepted: " + seen);
        assertEquals(9, seen.size(), "not every answer was seen: " + seen);
    }

    private static String inC(ByteBuffer said) {
        return describe(
                said.getInt(0),
                said.getInt(4),
                said.getInt(8),
                said.getInt(12),
                said.getInt(16),
                said.getLong(32),
                said.getLong(40),
                said.getLong(48),
                said.get(30),
                new RequestOptions(said.getLong(56), said.getInt(20), said.getInt(24), said.get(28), said.get(29), 0));
    }

    private static String inJava(RequestDecoder d, int errno, int position) {
        return describe(
                errno,
                d.version(),
                d.command(),
                d.pathPosition() == 0 ? 0 : d.pathPosition() - position,
                d.pathLength(),
                d.offset(),
                d.length(),
                d.transferId(),
                d.segments(),
                new RequestOptions(d.rate(), d.idleMs(), d.deadlineMs(), d.technique(), d.flags(), 0));
    }

    private static String describe(
            int errno,
            int version,
            int command,
            int pathPosition,
            int pathLength,
            long offset,
            long length,
            long id,
            int segments,
            RequestOptions options) {
        return errno + " " + version + " " + command + " " + pathPosition + "+" + pathLength + " " + offset + "+"
                + length + " " + id + " " + segments + " " + options;
    }

    @Test
    void shouldDecodeStatusChannelsAsTheCDecoderDoesHoweverTheyAreCutUp() throws Exception {
        List<byte[]> cases = cases("response");
        ByteBuffer answers = decodeInC('s', cases);
        Map<ResponseDecoder.Event, Integer> seen = new EnumMap<>(ResponseDecoder.Event.class);

        for (byte[] bytes : cases) {
            ResponseDecoder decoder = new ResponseDecoder();
            ByteBuffer in = ByteBuffer.wrap(bytes);
            ResponseDecoder.Event event;
            in.limit(0);
            do {
                event = next(decoder, in);
                ByteBuffer said =
                        answers.slice(answers.position(), MESSAGE_SIZE).order(ByteOrder.nativeOrder());
                answers.position(answers.position() + MESSAGE_SIZE);
                assertEquals(messageInC(said), messageInJava(decoder, event), () -> hex(bytes));
                seen.merge(event, 1, Integer::sum);
            } while (event != ResponseDecoder.Event.NEED_MORE && event != ResponseDecoder.Event.MALFORMED);
        }

        assertFalse(answers.hasRemaining());
        assertEquals(ResponseDecoder.Event.values().length, seen.size(), "not every event was seen: " + seen);
    }

    /** Feeds a few bytes at a time, as long as there are some and they are not enough. */
    private ResponseDecoder.Event next(ResponseDecoder decoder, ByteBuffer in) {
        ResponseDecoder.Event event = decoder.next(in);
        while (event == ResponseDecoder.Event.NEED_MORE && in.limit() < in.capacity()) {
            in.limit(Math.min(in.capacity(), in.limit() + 1 + random.nextInt(50)));
            event = decoder.next(in);
        }
        return event;
    }

    private static String messageInC(ByteBuffer said) {
        int error = said.getInt(4);
        long size = said.getLong(8);
        return switch (said.getInt(0)) {
            case 0 ->
                "info " + size + " " + said.getLong(16) + " " + said.getLong(24) + " " + said.getLong(32) + " "
                        + said.getLong(40);
            case 1 -> "progress " + size;
            case 2 -> "complete";
            case 3 -> (said.getInt(68) == Wire.FILE_INFO ? "refused " : "failed ") + error;
            case 4 -> "refusal " + error + " " + said.getInt(60);
            case 5 ->
                "result " + error + " " + size + " " + said.getLong(48) + " "
                        + Integer.toUnsignedString(said.getInt(56)) + " " + said.getInt(64) + " " + said.getInt(60);
            case 6 ->
                "details " + size + " " + said.getLong(40) + " " + said.getLong(48) + " " + said.getInt(16) + " "
                        + said.getInt(24) + " " + said.getInt(32) + " " + said.getInt(64);
            case 7 -> "more";
            default -> "malformed";
        };
    }

    private static String messageInJava(ResponseDecoder d, ResponseDecoder.Event event) {
        return switch (event) {
            case FILE_INFO ->
                "info " + d.size() + " " + d.accessTime() + " " + d.modificationTime() + " " + d.changeTime() + " "
                        + d.transferId();
            case PROGRESS -> "progress " + d.size();
            case COMPLETE -> "complete";
            case REFUSED -> "refused " + d.errno();
            case FAILED -> "failed " + d.errno();
            case REFUSED_EXTENDED -> "refusal " + d.errno() + " " + d.fits();
            case RESULT ->
                "result " + d.errno() + " " + d.size() + " " + d.elapsedNs() + " "
                        + Integer.toUnsignedString(d.coldWindows()) + " " + d.technique() + " " + d.fits();
            case FILE_DETAILS ->
                "details " + d.size() + " " + d.inode() + " " + d.device() + " " + d.accessNanos() + " "
                        + d.modificationNanos() + " " + d.changeNanos() + " " + d.mode();
            case NEED_MORE -> "more";
            case MALFORMED -> "malformed";
        };
    }

    // ---- cases

    private List<byte[]> cases(String target) throws IOException {
        List<byte[]> seeds = new ArrayList<>();
        Path source = Path.of(System.getProperty("sendfiled.test.source", "."));
        try (Stream<Path> corpus =
                Files.list(source.resolve("test-native/fuzz/corpus").resolve(target))) {
            for (Path file : corpus.sorted().toList()) {
                seeds.add(Files.readAllBytes(file));
            }
        }
        List<String> kinds = target.equals("request")
                ? List.of("request", "request_decode", "extended", "extended_decode", "refused")
                : List.of(
                        "file_info",
                        "file_details",
                        "progress",
                        "complete",
                        "error",
                        "refusal",
                        "result",
                        "incomplete",
                        "malformed");
        for (String kind : kinds) {
            GoldenVectors.ofKind(kind).forEach(vector -> seeds.add(vector.bytes()));
        }
        List<byte[]> cases = new ArrayList<>(seeds);
        int count = Scale.of("codec.cases", 100_000);
        while (cases.size() < count) {
            byte[] bytes = seeds.get(random.nextInt(seeds.size()));
            if (bytes.length > 4000 && random.nextInt(20) != 0) {
                continue; // the longest path a few times only
            }
            cases.add(target.equals("request") ? change(bytes) : changeAll(bytes, seeds));
        }
        return cases;
    }

    /** Several messages in a row, some of them changed. */
    private byte[] changeAll(byte[] first, List<byte[]> seeds) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(first);
        for (int i = random.nextInt(4); i > 0; i--) {
            byte[] next = seeds.get(random.nextInt(seeds.size()));
            all.writeBytes(random.nextInt(3) == 0 ? change(next) : next);
        }
        return all.toByteArray();
    }

    private byte[] change(byte[] seed) {
        int length =
                switch (random.nextInt(6)) {
                    case 0 -> random.nextInt(seed.length + 1);
                    case 1 -> seed.length + random.nextInt(4);
                    default -> seed.length;
                };
        byte[] bytes = Arrays.copyOf(seed, length);
        ByteBuffer buf = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        for (int changes = random.nextInt(3); changes > 0 && length > 0; changes--) {
            int at = random.nextInt(Math.min(length, 64));
            switch (random.nextInt(6)) {
                case 0 -> bytes[at] = (byte) random.nextInt(256);
                case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> putCorner(buf, 8 * (1 + random.nextInt(3)));
                case 3 -> putCorner(buf, length - 1 - random.nextInt(Math.min(length, 64))); // of a segment
                case 4 -> bytes[length - 1] = 0;
                default -> bytes[0] = (byte) (random.nextInt(2) * 0x80 + random.nextInt(2) * 0x10 + random.nextInt(6));
            }
        }
        if (length > 8 && random.nextInt(4) != 0 && (bytes[0] & 0x70) == 0x10) {
            buf.putInt(4, length); // past the first checks of an extended request
        }
        return bytes;
    }

    private void putCorner(ByteBuffer buf, int at) {
        long[] corners = {0, 1, -1, Long.MAX_VALUE, Long.MIN_VALUE, Long.MAX_VALUE - 1, 1L << 32, 4096};
        if (at + 8 <= buf.capacity()) {
            buf.putLong(at, corners[random.nextInt(corners.length)] + random.nextInt(-1, 2));
        }
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) {
            text.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        }
        return text.toString();
    }

    // ---- the C program

    private ByteBuffer decodeInC(char kind, List<byte[]> cases) throws IOException, InterruptedException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] bytes : cases) {
            all.write(kind);
            all.writeBytes(ByteBuffer.allocate(4)
                    .order(ByteOrder.nativeOrder())
                    .putInt(bytes.length)
                    .array());
            all.writeBytes(bytes);
        }
        Path in = Files.write(directory.resolve("cases"), all.toByteArray());
        Path out = directory.resolve("answers");
        Process process = new ProcessBuilder(HelperProgram.command("decode"))
                .redirectInput(in.toFile())
                .redirectOutput(out.toFile())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        assertEquals(0, process.waitFor());
        return ByteBuffer.wrap(Files.readAllBytes(out));
    }
}
