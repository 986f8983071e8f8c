package io.sendfiled.daemon;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.SocketDirectories;
import io.sendfiled.engine.Engine;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.jni.SuccessionNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * This process takes the place of the one that serves ({@code --take-over}); {@link HandOver} is the other side, and has the
 * protocol. Until the other one has said that it is done, it serves, whatever goes wrong here: a fault of any kind ends this
 * process, and then that one receives again.
 *
 * <p>Main thread, at the start. Owns the descriptors that it has fetched until the engine, or {@link Predecessors}, has them.
 */
final class TakeOver {
    /** A step of the start, between two of the take-over. */
    @FunctionalInterface
    interface Step {
        void run() throws StartException;
    }

    private static final int ANSWER_MS = 10_000;
    private static final int TRIAL_MS = 10_000;
    private static final int NONE = -1;

    /* Positions in the numbers: native/core/process/handover.h. */
    private static final int REQUEST_FD = 1;
    private static final int LOCK_FD = 2;
    private static final int STAYS = 3;
    private static final int TAG = 6;
    private static final int PREDECESSORS = 7;
    private static final int LANES = 8;
    private static final int HEAD = 9;
    private static final int NUMBERS_OF_PREDECESSOR = 2;
    private static final int NUMBERS_OF_LANE = 4;
    private static final int NUMBERS_MAX = 1 << 10;

    private final int pid;
    private final int channel;
    private final long[] numbers; // with this process's descriptors
    private final Consumer<String> complain;

    private TakeOver(int pid, int channel, long[] numbers, Consumer<String> complain) {
        this.pid = pid;
        this.channel = channel;
        this.numbers = numbers;
        this.complain = complain;
    }

    /**
     * Asks the process that serves, and fetches what it leaves; with the rights to look into it, so before these are given
     * up.
     *
     * @param uid as whom this process will serve
     * @param managed whether a service manager has started this process
     * @return null when none serves
     * @throws StartException when it refuses, or this process may not fetch its descriptors
     */
    static @Nullable TakeOver begin(Path directory, String name, int uid, boolean managed, Consumer<String> complain)
            throws StartException {
        Path path = Names.resolve(directory, SocketDirectories.controlFile(name));
        int control = SuccessionNative.connect(Names.bytes(path));
        if (control == -Errno.ENOENT || control == -Errno.ECONNREFUSED || control == -Errno.ENOTDIR) {
            return null;
        }
        check(control, "cannot reach the one that serves at " + Names.printable(path));
        try {
            demandUser(path, uid);
            return begin(control, managed, complain);
        } catch (StartException e) {
            if (!managed || e.errno() != Errno.EPERM) {
                throw e;
            }
            complain.accept(e.getMessage() + "; so it has to end first");
            awaitEnd(path);
            return null;
        } finally {
            SuccessionNative.close(control);
        }
    }

    /** As a restart without a take-over: the service manager bounds it. */
    private static void awaitEnd(Path path) throws StartException {
        int control = check(SuccessionNative.connect(Names.bytes(path)), "cannot reach the one that serves");
        try {
            check(SuccessionNative.send(control, "drain\n"), "cannot end the one that serves");
            String said = " ";
            while (said != null && !said.isEmpty()) { // the end of the connection is that of the process
                said = SuccessionNative.receive(control, NONE, NONE, new int[1]);
            }
        } finally {
            SuccessionNative.close(control);
        }
    }

    /** Sockets and names belong to that user, and clients ask for it. */
    private static void demandUser(Path path, int uid) throws StartException {
        try {
            int owner = (Integer) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            if (owner != uid) {
                throw new StartException(
                        Errno.EPERM,
                        "the one that serves runs as uid " + Integer.toUnsignedString(owner)
                                + ", and this one would as uid " + Integer.toUnsignedString(uid) + " (--user)");
            }
        } catch (IOException e) {
            throw new StartException(Errno.EIO, Names.printable(path) + ": " + e.getMessage(), e);
        }
    }

    private static TakeOver begin(int control, boolean managed, Consumer<String> complain) throws StartException {
        int pid = check(SuccessionNative.peerPid(control), "who serves is in another pid namespace");
        String word = managed ? HandOver.MANAGED : HandOver.UNMANAGED;
        check(SuccessionNative.send(control, "upgrade " + word + "\n"), "cannot ask process " + pid);
        List<String> answer = answer(control, pid);
        int channel = (int) numbers(answer, HandOver.CHANNEL, pid)[0];
        long[] numbers = numbers(answer, HandOver.INHERITANCE, pid);
        if (numbers.length < HEAD
                || numbers.length
                        != HEAD + NUMBERS_OF_PREDECESSOR * numbers[PREDECESSORS] + NUMBERS_OF_LANE * numbers[LANES]) {
            throw strange(pid);
        }
        int process = check(SuccessionNative.openProcess(pid), "process " + pid);
        List<Integer> fetched = new ArrayList<>();
        boolean complete = false;
        try {
            int ours = fetch(process, channel, pid, fetched);
            for (int position : positions(numbers)) {
                numbers[position] = fetch(process, numbers[position], pid, fetched);
            }
            check(SuccessionNative.send(ours, HandOver.HELLO), "process " + pid);
            complete = true;
            return new TakeOver(pid, ours, withPredecessor(numbers, ours), complain);
        } finally {
            SuccessionNative.close(process);
            if (!complete) {
                fetched.forEach(SuccessionNative::close);
            }
        }
    }

    private static List<String> answer(int control, int pid) throws StartException {
        StringBuilder text = new StringBuilder();
        int[] errno = new int[1];
        while (true) {
            int last = text.lastIndexOf("\n", text.length() - 2) + 1;
            if (text.length() > 0 && text.charAt(text.length() - 1) == '\n') {
                String line = text.substring(last, text.length() - 1);
                if (line.startsWith("ok")) {
                    return text.toString().lines().toList();
                }
                if (line.startsWith("error ")) {
                    throw refused(line, pid);
                }
            }
            String more = SuccessionNative.receive(control, NONE, ANSWER_MS, errno);
            if (more == null || more.isEmpty() || text.length() > NUMBERS_MAX * Long.SIZE) {
                throw new StartException(
                        more == null ? errno[0] : Errno.EPROTO, "process " + pid + ", which serves, does not answer");
            }
            text.append(more);
        }
    }

    private static StartException refused(String line, int pid) {
        String[] words = line.split(" ", 3);
        int errno = Errno.EPROTO;
        try {
            errno = Integer.parseInt(words[1]);
        } catch (NumberFormatException e) {
            // as it is
        }
        return new StartException(
                errno,
                "process " + pid + ", which serves, cannot be followed: " + (words.length > 2 ? words[2] : line));
    }

    private static StartException strange(int pid) {
        return new StartException(Errno.EPROTO, "process " + pid + ", which serves, speaks another protocol");
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

    private static int fetch(int process, long fd, int pid, List<Integer> fetched) throws StartException {
        int result = SuccessionNative.fetch(process, (int) fd);
        if (result == -Errno.EPERM) {
            throw new StartException(
                    Errno.EPERM,
                    "the descriptors of process " + pid + " cannot be fetched (pidfd_getfd, ptrace): "
                            + (ProcessNative.effectiveUid() == 0
                                    ? "a container's filter, or kernel.yama.ptrace_scope, forbids it"
                                    : "root may, or the same user if that one was not started by root"));
        }
        check(result, "the descriptors of process " + pid + " cannot be fetched");
        fetched.add(result);
        return result;
    }

    /** The process that serves is the last of those before this one. */
    private static long[] withPredecessor(long[] numbers, int channel) {
        int at = HEAD + NUMBERS_OF_PREDECESSOR * (int) numbers[PREDECESSORS];
        long[] more = Arrays.copyOf(numbers, numbers.length + NUMBERS_OF_PREDECESSOR);
        System.arraycopy(numbers, at, more, at + NUMBERS_OF_PREDECESSOR, numbers.length - at);
        more[at] = channel;
        more[at + 1] = numbers[TAG];
        more[PREDECESSORS]++;
        return more;
    }

    /** For the engine, which takes the descriptors of the sockets and of the lock. */
    long[] inheritance() {
        return numbers.clone();
    }

    /** Whether a service manager keeps the request socket. */
    boolean socketStays() {
        return numbers[STAYS] != 0;
    }

    /** The processes before this one, in the engine's order. */
    Predecessors predecessors(Engine engine) {
        int[] sockets = new int[(int) numbers[PREDECESSORS]];
        for (int i = 0; i < sockets.length; i++) {
            sockets[i] = (int) numbers[HEAD + NUMBERS_OF_PREDECESSOR * i];
        }
        return new Predecessors(engine.handle(), sockets, complain);
    }

    /** Has the engine, which runs and receives nothing yet, serve a first request of this process by a socket of its own. */
    void tryOut(Engine engine) throws StartException {
        int[] sockets = new int[2];
        check(SuccessionNative.requestPair(sockets), "cannot make a socket");
        try {
            engine.admitOwnRequests(true);
            demandPause(engine);
            SuccessionNative.resume(engine.handle(), sockets[0]);
            long first = SuccessionNative.beginTrial(sockets[1]);
            int result = first < 0 ? (int) first : SuccessionNative.endTrial(first, TRIAL_MS);
            SuccessionNative.pause(engine.handle());
            check(result, "the first request has failed, and process " + pid + " serves on");
            demandPause(engine);
        } finally {
            SuccessionNative.close(sockets[0]);
            SuccessionNative.close(sockets[1]);
        }
    }

    private static void demandPause(Engine engine) throws StartException {
        if (!HandOver.awaitPause(engine)) {
            throw new StartException(Errno.EIO, "an event loop does not answer");
        }
    }

    /**
     * Takes over: from here on this process receives.
     *
     * @param closeSandbox what has to be done before a request of a client is received
     */
    void commit(Engine engine, Predecessors predecessors, SendfiledConfig config, Step closeSandbox)
            throws StartException {
        check(SuccessionNative.send(channel, HandOver.READY), "process " + pid);
        demandWord(HandOver.GO);
        // Not if the queue is full: others' requests try it then.
        long sent = SuccessionNative.beginTrial(Names.bytes(config.socketPath()));
        closeSandbox.run();
        boolean over = false;
        predecessors.listen(); // from the first request on, some are theirs
        SuccessionNative.resume(engine.handle(), NONE);
        try {
            if (sent > 0) {
                check(
                        SuccessionNative.endTrial(sent, TRIAL_MS),
                        "the first request by the request socket has failed, and process " + pid + " serves on");
            }
            check(SuccessionNative.send(channel, HandOver.COMMIT), "process " + pid + " has not waited");
            if (!predecessors.isDone(ANSWER_MS)) {
                throw new StartException(Errno.ECANCELED, "process " + pid + " does not hand over, and serves on");
            }
            over = true;
        } finally {
            if (!over) {
                giveBack(engine, predecessors, config.stopTimeoutMs());
            }
        }
        engine.admitOwnRequests(false);
        SuccessionNative.claim(engine.handle());
    }

    private void demandWord(String word) throws StartException {
        int[] errno = new int[1];
        String said = SuccessionNative.receive(channel, NONE, ANSWER_MS, errno);
        if (!word.equals(said)) {
            throw new StartException(
                    said == null ? errno[0] : Errno.ECANCELED, "process " + pid + " does not hand over, and serves on");
        }
    }

    /** The other one receives again; what this one has received is served here. */
    private void giveBack(Engine engine, Predecessors predecessors, int timeoutMs) {
        SuccessionNative.pause(engine.handle());
        boolean unusedPause = HandOver.awaitPause(engine);
        predecessors.suspend();
        int unused = SuccessionNative.send(channel, "abort");
        long begin = System.nanoTime();
        while (!SuccessionNative.isIdle(engine.handle())
                && System.nanoTime() - begin < TimeUnit.MILLISECONDS.toNanos(timeoutMs)) {
            try {
                Thread.sleep(Engine.DRAIN_LOOK_MS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private static int check(int result, String problem) throws StartException {
        if (result < 0) {
            throw new StartException(-result, problem + ": " + Errno.describe(-result));
        }
        return result;
    }
}
