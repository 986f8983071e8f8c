package io.sendfiled.daemon;

import io.sendfiled.sys.Errno;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the process that serves says that it leaves to the next one: its answer to the command {@code upgrade}, which {@link
 * HandOver} makes. The numbers are those of native/core/process/handover.h. Of these it is known here how many they are, so that
 * they can be taken apart; what they mean the core checks.
 *
 * <p>Main thread, at the start. Owns no descriptor.
 */
final class Inheritance {
    private static final int VERSION = 0;
    private static final int REQUEST_FD = 1;
    private static final int LOCK_FD = 2;
    private static final int STAYS = 3;
    private static final int TAG = 6;
    private static final int PREDECESSORS = 7;
    private static final int LANES = 8;
    private static final int HEAD = 9;
    private static final int NUMBERS_OF_PREDECESSOR = 2;
    private static final int NUMBERS_OF_LANE = 4;
    private static final int THIS_VERSION = 1;

    private final int channel;
    private final long[] numbers;

    private Inheritance(int channel, long[] numbers) {
        this.channel = channel;
        this.numbers = numbers;
    }

    /**
     * @param answer its lines
     * @param pid whose
     * @throws StartException EPROTO: no process of this version says that
     */
    static Inheritance parse(List<String> answer, int pid) throws StartException {
        long[] channel = numbers(answer, HandOver.CHANNEL, pid);
        long[] numbers = numbers(answer, HandOver.INHERITANCE, pid);
        if (channel.length != 1 || !isFd(channel[0]) || !isSound(numbers)) {
            throw strange(pid);
        }
        return new Inheritance((int) channel[0], numbers);
    }

    private static long[] numbers(List<String> answer, String word, int pid) throws StartException {
        for (String line : answer) {
            if (line.startsWith(word)) {
                try {
                    return Stream.of(line.substring(word.length()).split(" "))
                            .mapToLong(Long::parseLong)
                            .toArray();
                } catch (NumberFormatException e) {
                    throw strange(pid);
                }
            }
        }
        throw strange(pid);
    }

    private static StartException strange(int pid) {
        return new StartException(Errno.EPROTO, "process " + pid + ", which serves, speaks another protocol");
    }

    private static boolean isSound(long[] numbers) {
        return numbers.length >= HEAD
                && numbers[VERSION] == THIS_VERSION
                && isCount(numbers[PREDECESSORS], numbers.length)
                && isCount(numbers[LANES], numbers.length)
                && numbers.length
                        == HEAD + NUMBERS_OF_PREDECESSOR * numbers[PREDECESSORS] + NUMBERS_OF_LANE * numbers[LANES]
                && positions(numbers).stream().allMatch(position -> isFd(numbers[position]));
    }

    /** No more than there are numbers: so a product of it does not overflow. */
    private static boolean isCount(long number, int most) {
        return number >= 0 && number <= most;
    }

    private static boolean isFd(long number) {
        return number >= 0 && number <= Integer.MAX_VALUE;
    }

    /** Where numbers are descriptors. */
    private static List<Integer> positions(long[] numbers) {
        List<Integer> positions = new ArrayList<>(List.of(REQUEST_FD, LOCK_FD));
        int position = HEAD;
        for (int i = 0; i < numbers[PREDECESSORS]; i++, position += NUMBERS_OF_PREDECESSOR) {
            positions.add(position);
        }
        for (int i = 0; i < numbers[LANES]; i++, position += NUMBERS_OF_LANE) {
            positions.add(position);
        }
        return positions;
    }

    List<Integer> positions() {
        return positions(numbers);
    }

    /** The descriptor of the socket on which that process goes on. */
    int channel() {
        return channel;
    }

    long[] numbers() {
        return numbers.clone();
    }

    /** Whether a service manager keeps the request socket. */
    boolean socketStays() {
        return numbers[STAYS] != 0;
    }

    /** The sockets to the processes before, the first one's first. */
    int[] predecessors() {
        int[] sockets = new int[(int) numbers[PREDECESSORS]];
        for (int i = 0; i < sockets.length; i++) {
            sockets[i] = (int) numbers[HEAD + NUMBERS_OF_PREDECESSOR * i];
        }
        return sockets;
    }

    /**
     * The same when its descriptors were fetched; and the process that leaves it is the last of those before.
     *
     * @param fds at {@link #positions}, in their order
     * @param ours the socket that is connected with that process
     */
    Inheritance fetched(List<Integer> fds, int ours) {
        int at = HEAD + NUMBERS_OF_PREDECESSOR * (int) numbers[PREDECESSORS];
        long[] more = Arrays.copyOf(numbers, numbers.length + NUMBERS_OF_PREDECESSOR);
        List<Integer> positions = positions();
        for (int i = 0; i < fds.size(); i++) {
            more[positions.get(i)] = fds.get(i);
        }
        System.arraycopy(more, at, more, at + NUMBERS_OF_PREDECESSOR, numbers.length - at);
        more[at] = ours;
        more[at + 1] = numbers[TAG];
        more[PREDECESSORS]++;
        return new Inheritance(ours, more);
    }
}
