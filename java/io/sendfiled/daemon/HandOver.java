package io.sendfiled.daemon;

import io.sendfiled.control.ControlCall;
import io.sendfiled.control.ControlCommand;
import io.sendfiled.control.ControlException;
import io.sendfiled.engine.Engine;
import io.sendfiled.jni.SuccessionNative;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * The process that serves gives its place to another one: the command {@code upgrade} of the control socket, and what
 * follows. The other side is {@link TakeOver}.
 *
 * <p>The answer to the command names descriptors of this process, which the other one fetches, among them a socket (the
 * channel) on which both go on in words:
 *
 * <pre>
 *   new: hello     it has all descriptors; this process goes on serving
 *   new: ready     its engine is there, and has served a first request of its own
 *   old: go        nothing is received here any more
 *   new: commit    it receives, and has served a request by the real socket
 *   old: done      sockets, names and lock are the new one's; this one keeps its transfers until they end
 *   new: take N    a request in socket N is for one of them (native/core/loop/succession.h); also before commit
 *   old: taken     it is out of the socket
 *   new: end       end now
 * </pre>
 *
 * <p>Until {@code commit} every fault of the new one, its end included, has this one receive again. Requests wait in the
 * sockets between {@code go} and what follows, some milliseconds.
 *
 * <p>A thread of its own from the command on, one at a time. Owns the channel.
 */
final class HandOver implements ControlCommand, AutoCloseable {
    static final String HELLO = "hello";
    static final String READY = "ready";
    static final String GO = "go";
    static final String COMMIT = "commit";
    static final String DONE = "done";
    static final String END = "end";
    static final String TAKE = "take ";

    /** Of the command: who starts the other one. Both, or neither, are a service manager's. */
    static final String MANAGED = "managed";

    static final String UNMANAGED = "unmanaged";

    /** Of the answer: the channel's descriptor; and the numbers of {@link SuccessionNative#describe}. */
    static final String CHANNEL = "channel ";

    static final String INHERITANCE = "inheritance ";

    private static final String BY_MANAGER =
            "a service manager has started it, and has to start the next one (systemctl restart)";

    private static final int PREDECESSORS_MAX = 8;
    private static final int POSITION_OF_PREDECESSORS = 7;
    private static final int NONE = -1;
    private static final int HELLO_MS = 5_000;
    private static final int START_MS = 120_000;
    private static final int PAUSE_MS = 2_000;
    private static final int COMMIT_MS = 30_000;

    private final Engine engine;
    private final Predecessors predecessors;
    private final boolean managed;
    private final @Nullable String obstacle;
    private final Runnable wakeMain;
    private final Consumer<String> say;
    private final AtomicBoolean busy = new AtomicBoolean();
    private final int[] wake = new int[2];
    private volatile @Nullable Thread thread;
    private volatile boolean done;
    private volatile boolean ends;
    private volatile boolean closed;

    /**
     * @param managed whether a service manager has started this process
     * @param obstacle why this process can never be followed by another one; null if it can
     * @param wakeMain has the main thread see that it is {@linkplain #isDone done}
     * @param say is told what an administrator wants to know
     */
    HandOver(
            Engine engine,
            Predecessors predecessors,
            boolean managed,
            @Nullable String obstacle,
            Runnable wakeMain,
            Consumer<String> say) {
        this.engine = engine;
        this.predecessors = predecessors;
        this.managed = managed;
        this.obstacle = obstacle;
        this.wakeMain = wakeMain;
        this.say = say;
        if (SuccessionNative.pair(wake) < 0) {
            wake[0] = NONE;
            wake[1] = NONE;
        }
    }

    /** Why an administrator cannot start another one in its place; null: that can be done. */
    @Nullable
    String obstacle() {
        return managed ? BY_MANAGER : obstacle;
    }

    /** Whether another process serves now. */
    boolean isDone() {
        return done;
    }

    /** Whether that one wants this one to end at once. */
    boolean ends() {
        return ends;
    }

    @Override
    public String run(ControlCall call) throws ControlException, IOException {
        if (busy.get()) {
            throw new ControlException(Errno.EBUSY, "an upgrade is under way");
        }
        demand(isManaged(call.argument(UNMANAGED)));
        int pid = SuccessionNative.peerPid(call.fd());
        if (pid < 0) {
            throw new ControlException(Errno.ESRCH, "the process that asks is in another pid namespace");
        }
        if (!busy.compareAndSet(false, true)) {
            throw new ControlException(Errno.EBUSY, "an upgrade is under way");
        }
        int[] channel = {NONE, NONE};
        boolean begun = false;
        try {
            int result = SuccessionNative.pair(channel);
            if (result < 0) {
                throw new ControlException(-result);
            }
            long[] numbers = SuccessionNative.describe(engine.handle());
            if (numbers[POSITION_OF_PREDECESSORS] >= PREDECESSORS_MAX) {
                throw new ControlException(
                        Errno.E2BIG, "so many processes that were replaced still have transfers: " + PREDECESSORS_MAX);
            }
            SuccessionNative.letIn(pid);
            call.line(CHANNEL + channel[1]);
            call.line(INHERITANCE
                    + LongStream.of(numbers).mapToObj(Long::toString).collect(Collectors.joining(" ")));
            Thread talker = new Thread(() -> talk(channel[0], channel[1], pid), "sendfiled-hand-over");
            talker.setDaemon(true);
            thread = talker;
            talker.start();
            begun = true;
            return "pid " + ProcessHandle.current().pid();
        } finally {
            if (!begun) {
                SuccessionNative.letIn(0);
                for (int fd : channel) {
                    if (fd != NONE) {
                        SuccessionNative.close(fd);
                    }
                }
                busy.set(false);
            }
        }
    }

    private static boolean isManaged(String starter) throws ControlException {
        if (!starter.equals(MANAGED) && !starter.equals(UNMANAGED)) {
            throw new ControlException(Errno.EINVAL, "it is " + MANAGED + " or " + UNMANAGED);
        }
        return starter.equals(MANAGED);
    }

    private void demand(boolean managedToo) throws ControlException {
        if (closed) {
            throw new ControlException(Errno.ESHUTDOWN, "it ends: start the next one when it has ended");
        }
        if (obstacle != null) {
            throw new ControlException(Errno.EOPNOTSUPP, obstacle);
        }
        if (managed && !managedToo) {
            throw new ControlException(Errno.EOPNOTSUPP, BY_MANAGER);
        }
        if (!managed && managedToo) {
            throw new ControlException(
                    Errno.EOPNOTSUPP, "no service manager has started the one that serves: sfd drain ends it");
        }
        if (wake[0] == NONE) {
            throw new ControlException(Errno.EMFILE);
        }
    }

    private void talk(int channel, int theirs, int pid) {
        String fault;
        try {
            fault = handOver(channel, theirs);
        } catch (RuntimeException | Error e) {
            fault = e.toString();
        }
        if (fault != null) {
            say.accept("the upgrade to process " + pid + " has failed, and this one "
                    + (closed ? "ends" : "serves on: " + fault));
            SuccessionNative.close(channel);
            busy.set(false);
            return;
        }
        say.accept("process " + pid + " serves now; this one ends with its last transfer");
        wakeMain.run();
        serve(channel);
    }

    /** Null if the other one serves; else what is wrong, and this one serves. */
    private @Nullable String handOver(int channel, int theirs) {
        try {
            if (!hears(channel, HELLO, HELLO_MS)) {
                return "it has not fetched the descriptors";
            }
        } finally {
            SuccessionNative.letIn(0);
            SuccessionNative.close(theirs); // from here on its end is noticed
        }
        if (!hears(channel, READY, START_MS)) {
            return "it has not started";
        }
        boolean over = false;
        SuccessionNative.pause(engine.handle());
        try {
            if (!awaitPause()) {
                return "an event loop does not answer";
            }
            predecessors.suspend();
            if (SuccessionNative.send(channel, GO) < 0 || !hearsCommit(channel)) {
                return "it has not served";
            }
            if (SuccessionNative.send(channel, DONE) < 0) {
                return "it has ended";
            }
            over = true;
            SuccessionNative.release(engine.handle());
            predecessors.close();
            done = true;
            return null;
        } finally {
            if (!over) {
                receiveAgain();
            }
        }
    }

    /** Also when a loop has not noticed the pause: then there is none, and it notices the end of it. */
    private void receiveAgain() {
        predecessors.listen();
        SuccessionNative.resume(engine.handle(), NONE);
    }

    private boolean awaitPause() {
        return awaitPause(engine);
    }

    /** Whether the loops obey within seconds. */
    static boolean awaitPause(Engine engine) {
        long begin = System.nanoTime();
        while (!SuccessionNative.isPaused(engine.handle()) || SuccessionNative.delegates(engine.handle())) {
            if (System.nanoTime() - begin > TimeUnit.MILLISECONDS.toNanos(PAUSE_MS)) {
                return false;
            }
            Thread.onSpinWait();
            try {
                Thread.sleep(1);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return true;
    }

    private boolean hears(int channel, String word, int timeoutMs) {
        return word.equals(SuccessionNative.receive(channel, wake[0], timeoutMs, new int[1]));
    }

    /** It receives by now, and may leave requests to this one. */
    private boolean hearsCommit(int channel) {
        long begin = System.nanoTime();
        for (long left = COMMIT_MS; left > 0; ) {
            String said = SuccessionNative.receive(channel, wake[0], (int) left, new int[1]);
            if (said == null || !said.startsWith(TAKE)) {
                return COMMIT.equals(said);
            }
            take(channel, said);
            left = COMMIT_MS - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
        }
        return false;
    }

    private void take(int channel, String said) {
        try {
            SuccessionNative.take(engine.handle(), channel, Integer.parseInt(said.substring(TAKE.length())));
        } catch (NumberFormatException e) {
            // It is none of ours that says so.
        }
    }

    /** What the new process leaves to this one, until one of them ends. */
    private void serve(int channel) {
        int[] errno = new int[1];
        while (true) {
            String said = SuccessionNative.receive(channel, wake[0], NONE, errno);
            if (errno[0] == Errno.ECANCELED) {
                return; // the channel is the engine's until its end
            }
            if (said == null || said.isEmpty()) {
                engine.closeSocket(); // else the next start would find it in use
                return;
            }
            if (said.startsWith(TAKE)) {
                take(channel, said);
            } else if (said.equals(END)) {
                ends = true;
                wakeMain.run();
            }
        }
    }

    /**
     * Nobody follows any more: before the engine ends, or refuses requests. An upgrade that is under way fails, unless it is
     * {@linkplain #isDone done}. Idempotent.
     */
    @Override
    public void close() {
        if (wake[1] == NONE || closed) {
            return;
        }
        closed = true;
        int unused = SuccessionNative.send(wake[1], "stop");
        Thread talker = thread;
        try {
            if (talker != null) {
                talker.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
