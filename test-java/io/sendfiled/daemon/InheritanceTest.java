package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.sys.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** R27: what another process says it leaves is taken apart only if it is as long as it says. */
final class InheritanceTest {
    private static final int PID = 42;
    private static final int CASES = 200_000;

    /** Two predecessors and one lane. */
    private static final String SOUND = "1 10 11 1 25 4096 7 2 1 12 5 13 6 14 1000 25 4097";

    private static Inheritance parse(String numbers) throws StartException {
        return Inheritance.parse(List.of("channel 9", "inheritance " + numbers, "ok pid 42"), PID);
    }

    @Test
    void shouldTakeApartWhatTheOtherOneLeaves() throws StartException {
        Inheritance left = parse(SOUND);
        assertEquals(9, left.channel());
        assertTrue(left.socketStays());
        assertArrayEquals(new int[] {12, 13}, left.predecessors());
        assertEquals(
                List.of(10L, 11L, 12L, 13L, 14L),
                left.positions().stream()
                        .map(position -> left.numbers()[position])
                        .toList());
        assertFalse(parse("1 10 11 0 25 4096 7 0 0").socketStays());
    }

    @Test
    void shouldCountWhoLeavesItAmongThoseBefore() throws StartException {
        Inheritance fetched = parse(SOUND).fetched(List.of(30, 31, 32, 33, 34), 35);
        assertArrayEquals(
                new long[] {1, 30, 31, 1, 25, 4096, 7, 3, 1, 32, 5, 33, 6, 35, 7, 34, 1000, 25, 4097},
                fetched.numbers());
        assertArrayEquals(new int[] {32, 33, 35}, fetched.predecessors());
        assertEquals(35, fetched.channel());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "x",
                "1",
                "2 10 11 0 0 0 7 0 0",
                "1 10 11 0 0 0 7 0 0 0",
                "1 10 11 0 0 0 7 0",
                "1 10 11 0 0 0 7 1 0",
                "1 10 11 0 0 0 7 0 1",
                "1 -1 11 0 0 0 7 0 0",
                "1 10 2147483648 0 0 0 7 0 0",
                "1 10 11 0 0 0 7 -2 1",
                "1 10 11 0 0 0 7 2 -1",
                "1 10 11 0 0 0 7 -9223372036854775808 0",
                "1 10 11 0 0 0 7 4611686018427387904 2305843009213693952",
                "1 10 11 0 0 0 7 1 0 -1 3",
                "1 10 11 0 0 0 7 0 1 -1 0 0 0",
            })
    void shouldRefuseWhatIsNone(String numbers) {
        StartException e = assertThrows(StartException.class, () -> parse(numbers));
        assertEquals(Errno.EPROTO, e.errno());
        assertTrue(String.valueOf(e.getMessage()).contains("process 42"), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "-1", "2147483648", "9 9"})
    void shouldRefuseWhatIsNoChannel(String channel) {
        List<String> answer = List.of("channel " + channel, "inheritance " + SOUND);
        assertThrows(StartException.class, () -> Inheritance.parse(answer, PID));
    }

    /** Whatever is said: it is refused, or all of its numbers have a meaning and a place. */
    @Test
    void shouldTakeNothingApartThatDoesNotFit() {
        SplittableRandom random = new SplittableRandom(27);
        int sound = 0;
        for (int i = 0; i < CASES; i++) {
            List<String> words = new ArrayList<>(List.of(SOUND.split(" ")));
            for (int change = random.nextInt(3); change >= 0; change--) {
                change(words, random);
            }
            Inheritance left;
            try {
                left = parse(String.join(" ", words));
            } catch (StartException e) {
                assertEquals(Errno.EPROTO, e.errno());
                continue;
            }
            sound++;
            int length = left.numbers().length;
            assertEquals(String.join(" ", words).split(" ").length, length);
            assertTrue(left.positions().stream().allMatch(position -> position < length), words::toString);
            assertTrue(left.positions().stream().allMatch(position -> left.numbers()[position] >= 0), words::toString);
            List<Integer> fds = left.positions().stream().map(position -> 100).toList();
            String fetched = LongStream.of(left.fetched(fds, 101).numbers())
                    .mapToObj(Long::toString)
                    .collect(Collectors.joining(" "));
            assertEquals(length + 2, fetched.split(" ").length, words::toString);
        }
        assertTrue(sound > CASES / 100, "it refuses nearly all");
    }

    private static void change(List<String> words, SplittableRandom random) {
        int at = random.nextInt(Math.max(1, words.size()));
        switch (random.nextInt(5)) {
            case 0 -> words.add(at, Long.toString(random.nextLong(-3, 20)));
            case 1 -> {
                if (!words.isEmpty()) {
                    words.remove(at);
                }
            }
            case 2 ->
                words.subList(Math.min(words.size(), at + 1), words.size()).clear();
            default -> {
                if (!words.isEmpty()) {
                    words.set(at, number(random));
                }
            }
        }
    }

    private static String number(SplittableRandom random) {
        return switch (random.nextInt(6)) {
            case 0 -> "";
            case 1 -> Long.toString(random.nextLong());
            case 2 -> Long.toString(1L << random.nextInt(64));
            case 3 -> Long.toString(-(1L << random.nextInt(64)));
            default -> Long.toString(random.nextInt(4));
        };
    }
}
