package io.sendfiled.daemon;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.SocketDirectories;
import io.sendfiled.engine.Engine;
import io.sendfiled.jni.ClientNative;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.jni.SuccessionNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * This process takes the place of the one that serves ({@code --take-over}); {@link HandOver} is the other side, and has the
 * protocol. Until the other one has said that it is done, it serves, whatever goes wrong here: a fault of any kind ends this
 * process, and then that one receives again. Only when that one ends on the way, killed for example, this one goes on without
 * it: nobody else has the sockets, and the requests that wait in them.
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

    /** Between the end of a process's connections, which can mean its end, and that end. */
    private static final int END_MS = 500;

    private static final int NONE = -1;
    private static final int ANSWER_MAX = 1 << 16;

    private final int pid;
    private final int process; // a pidfd
    private final Inheritance inheritance; // with this process's descriptors
    private final Consumer<String> complain;
    private boolean alone; // the other one has ended

    private TakeOver(int pid, int process, Inheritance inheritance, Consumer<String> complain) {
        this.pid = pid;
        this.process = process;
        this.inheritance = inheritance;
        this.complain = complain;
    }

    /**
     * Asks the process that serves, and fetches what it leaves; with the rights to look into it, so before these are given
     * up.
     *
     * @param uid as whom this process will serve
     * @param managed whether a service manager has started this process
     * @return null when none serves, or it has ended meanwhile
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
            if (!managed || (e.errno() != Errno.EPERM && e.errno() != Errno.ESHUTDOWN)) {
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

    private static @Nullable TakeOver begin(int control, boolean managed, Consumer<String> complain)
            throws StartException {
        int pid = check(SuccessionNative.peerPid(control), "who serves is in another pid namespace");
        int process = SuccessionNative.openProcess(pid); // before it answers: no later process of that number does
        if (process == -Errno.ESRCH) {
            return null;
        }
        check(process, "process " + pid);
        boolean taken = false;
        try {
            TakeOver takeOver = begin(control, pid, process, managed, complain);
            taken = true;
            return takeOver;
        } catch (StartException e) {
            if (!hasEnded(process)) {
                throw e;
            }
            complain.accept("process " + pid + ", which served, has ended");
            return null;
        } finally {
            if (!taken) {
                SuccessionNative.close(process);
            }
        }
    }

    private static TakeOver begin(int control, int pid, int process, boolean managed, Consumer<String> complain)
            throws StartException {
        String word = managed ? HandOver.MANAGED : HandOver.UNMANAGED;
        check(SuccessionNative.send(control, "upgrade " + word + "\n"), "cannot ask process " + pid);
        Inheritance left = Inheritance.parse(answer(control, pid), pid);
        List<Integer> fetched = new ArrayList<>();
        boolean complete = false;
        try {
            for (int position : left.positions()) {
                fetched.add(fetch(process, left.numbers()[position], pid));
            }
            int channel = fetch(process, left.channel(), pid);
            Inheritance inheritance = left.fetched(fetched, channel);
            fetched.add(channel);
            TakeOver takeOver = new TakeOver(pid, process, inheritance, complain);
            takeOver.tell(HandOver.HELLO);
            complete = true;
            return takeOver;
        } finally {
            if (!complete) {
                fetched.forEach(SuccessionNative::close);
            }
        }
    }

    /** Whether that process is not there any more. */
    private static boolean hasEnded(int process) {
        return ClientNative.waitReadable(process, END_MS) > 0;
    }

    private static List<String> answer(int control, int pid) throws StartException {
        StringBuilder text = new StringBuilder();
        int[] errno = new int[1];
        long begin = System.nanoTime();
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
            long leftMs = ANSWER_MS - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
            String more = SuccessionNative.receive(control, NONE, (int) Math.max(0, leftMs), errno);
            if (more == null || more.isEmpty() || text.length() > ANSWER_MAX) {
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

    private static int fetch(int process, long fd, int pid) throws StartException {
        int result = SuccessionNative.fetch(process, (int) fd);
        if (result == -Errno.EPERM) {
            throw new StartException(
                    Errno.EPERM,
                    "the descriptors of process " + pid + " cannot be fetched (pidfd_getfd, ptrace): "
                            + (ProcessNative.effectiveUid() == 0
                                    ? "a container's filter, or kernel.yama.ptrace_scope, forbids it"
                                    : "root may, or the same user if that one was not started by root"));
        }
        return check(result, "the descriptors of process " + pid + " cannot be fetched");
    }

    /** For the engine, which takes the descriptors of the sockets and of the lock. */
    long[] inheritance() {
        return inheritance.numbers();
    }

    /** Whether a service manager keeps the request socket. */
    boolean socketStays() {
        return inheritance.socketStays();
    }

    /** The processes before this one, in the engine's order. */
    Predecessors predecessors(Engine engine) {
        return new Predecessors(engine.handle(), inheritance.predecessors(), complain);
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
        tell(HandOver.READY);
        demand(HandOver.GO.equals(SuccessionNative.receive(inheritance.channel(), NONE, ANSWER_MS, new int[1])));
        // Not if the queue is full: others' requests try it then.
        long sent = tryReal(config);
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
            tell(HandOver.COMMIT);
            demand(predecessors.isDone(ANSWER_MS));
            // What ends in order ends with its names; to connect to them the sandbox does not allow any more.
            if (alone && !Files.exists(config.socketPath(), LinkOption.NOFOLLOW_LINKS)) {
                throw new StartException(
                        Errno.ECANCELED,
                        "process " + pid + ", which served, has ended, and its request socket with it");
            }
            over = true;
        } finally {
            if (!over) {
                giveBack(engine, predecessors, config.stopTimeoutMs());
            }
        }
        engine.admitOwnRequests(false);
        SuccessionNative.claim(engine.handle());
        SuccessionNative.close(process);
    }

    /** Sends requests as any client: a handle, or less than 0 if there is no room for them. */
    private static long tryReal(SendfiledConfig config) throws StartException {
        long sent = SuccessionNative.beginTrial(Names.bytes(config.socketPath()));
        if (sent < 0 && sent != -Errno.EAGAIN) {
            int errno = (int) -sent;
            throw new StartException(errno, "nobody can reach the request socket: " + Errno.describe(errno));
        }
        return sent;
    }

    private void tell(String word) throws StartException {
        demand(SuccessionNative.send(inheritance.channel(), word) >= 0);
    }

    /** What the other one does next; not where it has ended. */
    private void demand(boolean done) throws StartException {
        if (!done && !hasEnded(process)) {
            throw new StartException(Errno.ECANCELED, "process " + pid + " does not hand over, and serves on");
        }
        alone |= !done;
    }

    /** The other one receives again; what this one has received is served here. */
    private void giveBack(Engine engine, Predecessors predecessors, int timeoutMs) {
        SuccessionNative.pause(engine.handle());
        boolean unusedPause = HandOver.awaitPause(engine);
        predecessors.suspend();
        int unused = SuccessionNative.send(inheritance.channel(), "abort");
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
