package io.sendfiled.engine;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.counters.Counter;
import io.sendfiled.counters.Counters;
import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.technique.TechniqueSelector;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A running engine: the request socket, its event loops, its disk pool, its watchdog, its housekeeper and its journal. {@link io.sendfiled.Sendfiled}
 * is its public form, for embedders, and documents the methods; the program {@code sendfiled} uses this class.
 *
 * <p>Owns the native engine and its threads. Any thread may call any method.
 */
public final class Engine implements AutoCloseable {
    /** How long {@link #close} waits for disks before it leaves their threads behind, in seconds. */
    public static final int CLOSE_SECONDS = 10;

    /** A drain checks this often whether it is over. */
    public static final int DRAIN_LOOK_MS = 10;

    /** How soon a recording is noticed that starts in a JVM that had none. The program's is idle when nobody asks. */
    private static final int EMBEDDED_LOOK_MS = 1_000;

    private static final int PROGRAM_LOOK_MS = 60_000;

    private static final int CALL_NAME_MAX = 32;

    private static final int SEARCH_BY_OTHERS = 0001;

    /** No process has this id. */
    private static final int NO_PID = -1;

    private static final int NO_FD = -1;

    /** No user has this id. */
    private static final int NO_UID = -1;

    private volatile SendfiledConfig config;
    private final long engine;
    private final DiskPool diskPool;
    private final long[] loops;
    private final Authorizer authorizer;
    private final Carriers carriers;
    private final Watchdog watchdog;
    private final Thread serviceThread;
    private final Housekeeper housekeeper;
    private final Thread housekeepingThread;
    private final Journal journal;
    private final Thread journalThread;
    private final LoopCounters counters;
    private final CountDownLatch hurry = new CountDownLatch(1); // open: a running drain ends
    private final List<String> shortcomings;
    private boolean closed;

    private Engine(
            SendfiledConfig config,
            AccessList access,
            @Nullable TechniqueSelector selector,
            @Nullable LocalReceiver receiver,
            long engine,
            int refusedPid) {
        this.config = config;
        this.engine = engine;
        diskPool = new DiskPool(
                config.diskThreads(),
                !access.isEmpty(),
                EngineNative::beginWork,
                EngineNative::work,
                () -> EngineNative.wakeChores(engine));
        loops = new long[config.loops()];
        SelectorCaller caller = selector == null ? null : new SelectorCaller(selector);
        int uid = EngineNative.clientUid();
        authorizer = new Authorizer(uid, ProcessNative.nobody(), refusedPid, access);
        carriers = new Carriers(engine, authorizer, diskPool, caller, receiver);
        shortcomings = shortcomings(uid != NO_UID, EngineNative.tellsClients(engine));
        Path closed = access.isEmpty() ? null : closedDirectory(config.socketDirectory());
        if (closed != null) {
            shortcomings.add("the users of --" + Setting.ALLOW_USERS.key() + " and --" + Setting.ALLOW_GROUPS.key()
                    + " cannot reach the socket: others may not search " + Names.printable(closed)
                    + " (chmod o+x, or another --" + Setting.SOCKET_DIRECTORY.key() + ")");
        }
        int lanesError = EngineNative.lanesError(engine);
        if (lanesError < 0) {
            shortcomings.add("some users have no request socket of their own, and can be delayed by a flood of another"
                    + " one's requests: " + lanesReason(-lanesError));
        }
        int countersError = EngineNative.countersError(engine);
        if (countersError < 0) {
            shortcomings.add("its counters are in no file, so sfd counters and sfd top cannot show them: "
                    + countersReason(-countersError));
        }
        for (int i = 0; i < loops.length; i++) {
            loops[i] = EngineNative.loop(engine, i);
        }
        counters = new LoopCounters(EngineNative.counters(engine));
        housekeeper = new Housekeeper(engine, config.socketPath(), diskPool, carriers, receiver);
        housekeepingThread = new Thread(housekeeper, "sendfiled-housekeeping");
        housekeepingThread.setDaemon(true);
        journal = new Journal(engine);
        if (receiver == null) { // who asks in this very process is told by an exception
            journal.add(new TransferLog(authorizer));
        }
        if (Recordings.isPossible()) {
            journal.add(new Recordings(refusedPid == NO_PID ? EMBEDDED_LOOK_MS : PROGRAM_LOOK_MS));
        }
        journalThread = new Thread(journal, "sendfiled-journal");
        journalThread.setDaemon(true);
        watchdog = new Watchdog(engine, housekeeper);
        serviceThread = new Thread(watchdog, "sendfiled-service");
        serviceThread.setDaemon(true);
    }

    /** As {@link io.sendfiled.Sendfiled#launch(SendfiledConfig)}. */
    public static Engine launch(SendfiledConfig config) throws NativeIoException {
        return start(config, null);
    }

    /** As {@link io.sendfiled.Sendfiled#launch(SendfiledConfig, TechniqueSelector)}. */
    public static Engine launch(SendfiledConfig config, TechniqueSelector selector) throws NativeIoException {
        return start(config, selector);
    }

    /**
     * An engine that has its socket and receives nothing before {@link #begin}, for a process that is only the daemon,
     * and so never its own client. A request with its process id must be one that a client made the daemon send, and is
     * refused.
     *
     * @param access the allow lists of the configuration, resolved while the process had its rights
     * @param passedFd the request socket, where a service manager has bound it, who keeps it: what is left in it at the
     *     end is served by the next engine. -1: there is none yet
     */
    public static Engine prepareProgram(SendfiledConfig config, AccessList access, int passedFd)
            throws NativeIoException {
        return prepare(config, access, null, null, (int) ProcessHandle.current().pid(), passedFd, null);
    }

    /**
     * The same, as the next process of an instance that is served: with its sockets and its lock. Nothing is received before
     * {@link io.sendfiled.jni.SuccessionNative#resume}.
     *
     * @param handover as {@link EngineNative#create} has it
     */
    public static Engine prepareSuccessor(SendfiledConfig config, AccessList access, long[] handover)
            throws NativeIoException {
        return prepare(config, access, null, null, (int) ProcessHandle.current().pid(), NO_FD, handover);
    }

    /**
     * An engine without a socket, which does nothing before {@link #begin}, for requests of this process alone: {@link
     * EngineNative#submit} with {@link #handle}. It has no root before one is added.
     *
     * @param receiver gets what becomes of them
     */
    public static Engine prepareLocal(
            SendfiledConfig config, @Nullable TechniqueSelector selector, LocalReceiver receiver)
            throws NativeIoException {
        AccessList nobody = AccessList.resolve(List.of(), List.of());
        return prepare(config, nobody, selector, receiver, NO_PID, NO_FD, null);
    }

    private static Engine start(SendfiledConfig config, @Nullable TechniqueSelector selector) throws NativeIoException {
        AccessList access = AccessList.resolve(config.allowUsers(), config.allowGroups());
        Engine started = prepare(config, access, selector, null, NO_PID, NO_FD, null);
        started.begin();
        return started;
    }

    private static Engine prepare(
            SendfiledConfig config,
            AccessList access,
            @Nullable TechniqueSelector selector,
            @Nullable LocalReceiver receiver,
            int refusedPid,
            int passedFd,
            long @Nullable [] handover)
            throws NativeIoException {
        CoreNumbers.check();
        demandCalls();
        long result = EngineNative.create(
                receiver == null ? Names.bytes(config.socketDirectory()) : null,
                Names.bytes(config.name()),
                receiver == null ? Names.bytes(config.root()) : null,
                CoreNumbers.of(config),
                config.techniques().packed(),
                selector != null,
                access.socketMode(),
                access.socketGroup(),
                access.laneUsers(EngineNative.clientUid()),
                passedFd,
                handover);
        if (result < 0) {
            Errno.check(
                    (int) result,
                    receiver != null
                            ? "start an engine"
                            : "start instance " + Names.printable(config.name()) + " at "
                                    + Names.printable(config.socketPath()) + " for root "
                                    + Names.printable(config.root()));
        }
        try {
            return new Engine(config, access, selector, receiver, result, refusedPid);
        } catch (Throwable t) { // no memory
            EngineNative.destroy(result);
            throw t;
        }
    }

    /**
     * Starts the threads, which serve; once, after {@link #prepareProgram} or {@link #prepareLocal}. If it throws, the engine is closed.
     *
     * @throws NativeIoException with {@code EAGAIN} if they cannot be started
     */
    public void begin() throws NativeIoException {
        try {
            startThreads();
        } catch (OutOfMemoryError e) { // no thread, or no memory for one
            close();
            NativeIoException failure =
                    new NativeIoException("start the threads of instance " + config.name(), Errno.EAGAIN);
            failure.initCause(e);
            throw failure;
        } catch (Throwable t) {
            close();
            throw t;
        }
    }

    /**
     * Returns if the system calls are there that nothing can replace.
     *
     * @throws NativeIoException naming the one that is missing, and where to look for the reason
     */
    public static void demandCalls() throws NativeIoException {
        byte[] call = new byte[CALL_NAME_MAX];
        int result = EngineNative.demandCalls(call);
        String name = new String(call, StandardCharsets.US_ASCII).replace("\0", "");
        Errno.check(
                result,
                name.isEmpty()
                        ? "cannot try the kernel's system calls"
                        : "the system call " + name + " is missing: the kernel is older than Linux 5.10, or a seccomp"
                                + " filter, as containers have one, refuses it");
    }

    private void startThreads() {
        for (long loop : loops) {
            carriers.start(loop);
        }
        housekeepingThread.start();
        serviceThread.start();
        journalThread.start();
    }

    /** Whether requests of this very process are served, as those of others: for a trial. Any thread. */
    public void admitOwnRequests(boolean admits) {
        authorizer.admitOwnRequests(admits);
    }

    /** Of an engine that receives nothing any more, because another process does: lets go of the sockets. Idempotent. */
    public synchronized void closeSocket() {
        if (!closed) {
            EngineNative.closeEndpoint(engine);
        }
    }

    /** The native engine, borrowed: it lives until {@link #close} is called. */
    public long handle() {
        return engine;
    }

    /** One more sink of what becomes of requests; before {@link #begin}. It is not used any more when this is closed. */
    public void addSink(RecordSink sink) {
        journal.add(sink);
    }

    /** Has the housekeeper look for what is to be done. Never waits; not after the engine was closed. Any thread. */
    public void wakeHousekeeper() {
        housekeeper.wake();
    }

    /** The configuration that holds: that of the launch, or of the last {@link #reload}. */
    public SendfiledConfig config() {
        return config;
    }

    /** As {@link io.sendfiled.Sendfiled#reload}. */
    public synchronized void reload(SendfiledConfig changed) {
        for (Setting setting : Setting.values()) {
            if (!setting.isOfProgram()
                    && setting.change() == Setting.Change.RESTART
                    && !changed.get(setting).equals(config.get(setting))) {
                throw new InvalidSettingException(setting, "can only be changed by another start");
            }
        }
        if (closed) {
            return;
        }
        AccessList access = authorizer.list().renew(changed.allowUsers(), changed.allowGroups());
        AccessList before = authorizer.list();
        authorizer.allow(access); // before the loops ask anew for the sessions that are open
        int result = EngineNative.reload(
                engine, CoreNumbers.of(changed), changed.techniques().packed());
        if (result < 0) {
            authorizer.allow(before);
            throw new IllegalStateException("cannot reload: " + Errno.describe(-result));
        }
        config = changed;
    }

    /** What it has done since it was launched; readable after {@link #close} as well. */
    public Counters counters() {
        return counters;
    }

    /** What it does now, for people: its counters, and its disk queues; a line each. Also after {@link #close}. */
    public List<String> describe() {
        List<String> lines = new ArrayList<>();
        lines.add("instance " + Names.printable(config.name()) + ", pid "
                + ProcessHandle.current().pid() + ", root " + Names.printable(config.root()));
        lines.add("transfers: " + transfers() + ", loops: " + loops.length + ", threads of loops: " + carriers.count());
        lines.add("counters:");
        for (Counter counter : Counter.values()) {
            lines.add("  " + counter.name().toLowerCase(Locale.ROOT).replace('_', '-') + " " + counters.get(counter));
        }
        lines.add("disk queues: name, threads, at work, tasks that wait");
        diskPool.describe(lines);
        return lines;
    }

    /** What it cannot do here as it is documented, a sentence each; empty as a rule. */
    public List<String> shortcomings() {
        return List.copyOf(shortcomings);
    }

    private static List<String> shortcomings(boolean hasUser, boolean tellsClients) {
        List<String> all = new ArrayList<>();
        if (!hasUser) {
            all.add(
                    "only root is served: this user is the overflow user of its user namespace, as which others appear");
        }
        if (!tellsClients) {
            all.add("clients of other pid namespaces cannot be told apart before Linux 6.9:"
                    + " they share one account, and may not open files to send them later");
        }
        return all;
    }

    private static String lanesReason(int errno) {
        return switch (errno) {
            case Errno.E2BIG -> "only 64 can have one";
            case Errno.EADDRINUSE ->
                "the service manager has made the request socket, and keeps what waits in it over a restart, which one"
                        + " of this daemon would lose (start it without its .socket unit)";
            case Errno.ENAMETOOLONG ->
                "its path would be too long for a socket (a shorter --" + Setting.SOCKET_DIRECTORY.key() + ")";
            case Errno.EOPNOTSUPP ->
                "the file system has no access control lists (another --" + Setting.SOCKET_DIRECTORY.key() + ")";
            default -> Errno.describe(errno);
        };
    }

    private static String countersReason(int errno) {
        return errno == Errno.EOPNOTSUPP
                ? "neither the directory of the socket nor /dev/shm is in memory (tmpfs)"
                : Errno.describe(errno);
    }

    /** The first directory on a path that only its owner, or its group, may search; null if there is none. */
    private static @Nullable Path closedDirectory(Path path) {
        for (Path directory = path; directory != null; directory = directory.getParent()) {
            try {
                if (((Integer) Files.getAttribute(directory, "unix:mode") & SEARCH_BY_OTHERS) == 0) {
                    return directory;
                }
            } catch (IOException e) {
                return null; // above what this user may see; others may
            }
        }
        return null;
    }

    /** Why an event loop has ended although the engine was not closed; null if none has. */
    public @Nullable Throwable failure() {
        return carriers.failure();
    }

    /** Runs {@code told} when {@link #failure} is not null any more; on an event loop's thread, or at once. */
    public void onFailure(Runnable told) {
        carriers.onFailure(told);
    }

    /** As {@link io.sendfiled.Sendfiled#close()}. */
    @Override
    public void close() {
        hurry.countDown();
        end(TimeUnit.SECONDS.toNanos(CLOSE_SECONDS));
    }

    /** As {@link io.sendfiled.Sendfiled#close(Duration)}. */
    public void close(Duration drain) {
        if (drain.isNegative()) {
            throw new IllegalArgumentException("drain: " + drain + " is negative");
        }
        boolean interrupted = false;
        long begin = System.nanoTime();
        try {
            if (!drain.isZero()) {
                beginDrain();
            }
            while (!isDrained() && drain.compareTo(Duration.ofNanos(System.nanoTime() - begin)) > 0) {
                if (hurry.await(DRAIN_LOOK_MS, TimeUnit.MILLISECONDS)) {
                    break;
                }
            }
        } catch (InterruptedException e) {
            interrupted = true;
        }
        close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** From here on no new transfer begins; {@link #isDrained} tells when the others have ended. Idempotent. */
    public synchronized void beginDrain() {
        if (!closed) {
            EngineNative.drain(engine);
        }
    }

    /**
     * After {@link #beginDrain}: whether there is no transfer, and every request that was received is answered; also after
     * {@link #close}.
     */
    public synchronized boolean isDrained() {
        return closed || EngineNative.isDrained(engine);
    }

    /** How many transfers there are; 0 after {@link #close}. */
    public synchronized int transfers() {
        return closed ? 0 : EngineNative.transfers(engine);
    }

    /**
     * Has a transfer end, whoever its client is; {@link #has} tells when it has.
     *
     * @param id the number by which the counters have it
     * @return 0, or a negated errno: ESRCH if there is none
     */
    public synchronized int cancel(long id) {
        return closed ? -Errno.ESRCH : EngineNative.cancelTransfer(engine, id);
    }

    /** Whether there is such a transfer, which has not ended. */
    public synchronized boolean has(long id) {
        return !closed && EngineNative.hasTransfer(engine, id);
    }

    /**
     * Whether every event loop, and the watchdog, has done something since the last call, for which they are woken: a
     * loop that is held, and that no spare thread could take, has not. Some seconds should lie between two calls, so that
     * a busy machine is not taken for a dead one. False after {@link #close}.
     */
    public synchronized boolean probe() {
        return !closed && EngineNative.probe(engine);
    }

    /** As {@link #close()}, but waits for disks no longer than that. */
    public synchronized void end(long diskWaitNs) {
        if (closed) {
            return;
        }
        closed = true;
        boolean ended = false;
        for (long loop : loops) {
            EngineNative.stop(loop);
        }
        try {
            ended = awaitEndUninterruptibly(System.nanoTime() + diskWaitNs);
        } finally {
            watchdog.stop();
            counters.close();
            if (ended) {
                EngineNative.destroy(engine);
            } else {
                // A loop that is not over has stopped receiving before, so the socket's name can be removed.
                EngineNative.closeEndpoint(engine);
            }
        }
    }

    /** A thread that was interrupted would leave all of it behind; what it waits for takes milliseconds as a rule. */
    private boolean awaitEndUninterruptibly(long deadline) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return awaitEnd(deadline);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private boolean awaitEnd(long deadline) throws InterruptedException {
        boolean ended = carriers.awaitEnd(deadline);
        watchdog.stop(); // last: it interrupts a thread that is held
        serviceThread.join();
        housekeeper.stop();
        housekeepingThread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
        journal.stop();
        journalThread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
        if (!ended
                || housekeepingThread.isAlive()
                || journalThread.isAlive()
                || !carriers.awaitEnd(deadline)) { // it may have added one
            return false;
        }
        diskPool.close();
        return diskPool.awaitTermination(deadline - System.nanoTime());
    }
}
