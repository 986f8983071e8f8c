package io.sendfiled.daemon;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.counters.Counters;
import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.Errno;
import io.sendfiled.jni.NativeIoException;
import io.sendfiled.jni.Turn;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A running engine: the request socket, its event loops and its disk pool, inside this JVM. The program {@code sendfiled}
 * is a command line around this class.
 *
 * <pre>{@code
 * try (Sendfiled server = Sendfiled.launch(SendfiledConfig.builder().name("web").root(Path.of("/srv")).build())) {
 *     ... // clients connect to server.socketPath()
 * }
 * }</pre>
 *
 * <p>It confines nothing: the sandbox of the program {@code sendfiled} is for a process that does nothing else.
 *
 * <p>All methods may be called by any thread. The engine's threads are daemon threads: they do not keep a JVM alive.
 */
public final class Sendfiled implements AutoCloseable {
    /** How long {@link #close} waits for disks before it leaves their threads behind, in seconds. */
    public static final int CLOSE_SECONDS = 10;

    /** How often a drain looks whether it is over. */
    static final int DRAIN_LOOK_MS = 10;

    /** No process has this id. */
    private static final int NO_PID = -1;

    private final SendfiledConfig config;
    private final long engine;
    private final DiskPool diskPool;
    private final EventLoop[] loops;
    private final Thread[] threads;
    private final Watch watch;
    private final Thread watchThread;
    private final Counters counters;
    private final CountDownLatch hurry = new CountDownLatch(1); // open: a drain that is under way ends
    private boolean closed;

    private Sendfiled(SendfiledConfig config, @Nullable TechniqueSelector selector, long engine, int refusedPid) {
        this.config = config;
        this.engine = engine;
        diskPool = new DiskPool(config.diskThreads(), EngineNative::beginWork, EngineNative::work);
        loops = new EventLoop[config.loops()];
        threads = new Thread[loops.length];
        ByteBuffer[] memory = new ByteBuffer[loops.length];
        int uid = EngineNative.effectiveUid();
        Choices choices = selector == null ? null : new Choices(selector);
        for (int i = 0; i < loops.length; i++) {
            long loop = EngineNative.loop(engine, i);
            memory[i] = EngineNative.counters(loop);
            Turn turn = new Turn(loop);
            loops[i] = new EventLoop(loop, turn, new Dispatcher(turn, uid, refusedPid), diskPool, choices);
            threads[i] = new Thread(loops[i], "sendfiled-loop-" + i);
            threads[i].setDaemon(true);
        }
        counters = new Counters(memory);
        watch = new Watch(engine, diskPool);
        watchThread = new Thread(watch, "sendfiled-service");
        watchThread.setDaemon(true);
    }

    /**
     * Starts an engine. Clients can connect when this returns.
     *
     * @throws NativeIoException with the errno, when the socket or the root cannot be had: {@code EADDRINUSE} if an
     *     instance of that name is running in that directory, {@code ENOENT} or {@code ENOTDIR} for the root
     * @throws UnsatisfiedLinkError when there is no native library for this machine
     */
    public static Sendfiled launch(SendfiledConfig config) throws NativeIoException {
        return start(config, null, NO_PID);
    }

    /**
     * The same with a selector of techniques, which is asked for every transfer whose request names none, before the rules
     * of the configuration. That costs each of them another turn of its event loop.
     *
     * @throws NativeIoException as {@link #launch(SendfiledConfig)}
     */
    public static Sendfiled launch(SendfiledConfig config, TechniqueSelector selector) throws NativeIoException {
        return start(config, selector, NO_PID);
    }

    /**
     * The same for a process that is the daemon and nothing else, and so never a client of its own: what comes under its
     * id was brought about by somebody who has the daemon send, and is refused.
     */
    static Sendfiled launchProgram(SendfiledConfig config) throws NativeIoException {
        return start(config, null, (int) ProcessHandle.current().pid());
    }

    private static Sendfiled start(SendfiledConfig config, @Nullable TechniqueSelector selector, int refusedPid)
            throws NativeIoException {
        CoreNumbers.check();
        long result = EngineNative.create(
                bytes(config.socketDirectory()),
                config.name().getBytes(StandardCharsets.UTF_8),
                bytes(config.root()),
                CoreNumbers.of(config),
                config.techniques().packed(),
                selector != null);
        if (result < 0) {
            Errno.check(
                    (int) result,
                    "start instance " + config.name() + " at " + config.socketPath() + " for root " + config.root());
        }
        Sendfiled sendfiled = new Sendfiled(config, selector, result, refusedPid);
        for (Thread thread : sendfiled.threads) {
            thread.start();
        }
        sendfiled.watchThread.start();
        return sendfiled;
    }

    /** A path's bytes as the file system has them; on Linux the JVM decodes names with sun.jnu.encoding. */
    private static byte[] bytes(Path path) {
        return path.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** What it was launched with. */
    public SendfiledConfig config() {
        return config;
    }

    /** The request socket that clients connect to. */
    public Path socketPath() {
        return config.socketPath();
    }

    /** What it has done since it was launched; readable after {@link #close} as well. */
    public Counters counters() {
        return counters;
    }

    /** Why an event loop has ended although nobody closed the engine; null while all is well. */
    public @Nullable Throwable failure() {
        for (EventLoop loop : loops) {
            Throwable failure = loop.failure();
            if (failure != null) {
                return failure;
            }
        }
        return null;
    }

    /** Has that run when {@link #failure} has something to tell; on an event loop's thread, or at once. */
    void onFailure(Runnable told) {
        for (EventLoop loop : loops) {
            loop.onFailure(told);
        }
    }

    /**
     * Stops: no further request is taken, transfers that are under way end with {@code ESHUTDOWN}, the socket is removed,
     * all descriptors are closed. Idempotent. Waits for tasks that disks are still working on, at most
     * {@value #CLOSE_SECONDS} seconds; a disk that takes longer keeps its threads and their memory. Ends a
     * {@link #close(Duration)} of another thread.
     */
    @Override
    public void close() {
        hurry.countDown();
        end(TimeUnit.SECONDS.toNanos(CLOSE_SECONDS));
    }

    /**
     * Lets transfers that are under way go on until they have ended, but no longer than {@code drain}, and then stops as
     * {@link #close()} does. Meanwhile nobody can connect, and requests for new transfers are refused with
     * {@code ESHUTDOWN}; opened files can still be sent, and transfers cancelled. Idempotent. Blocks for as long as that
     * takes; a thread that is interrupted, or another one that calls {@link #close()}, stops at once.
     *
     * @param drain not negative
     * @throws IllegalArgumentException when it is negative
     */
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

    /** From here on nothing new begins; {@link #isDrained} tells when the rest has ended. Idempotent. */
    synchronized void beginDrain() {
        if (!closed) {
            EngineNative.drain(engine);
        }
    }

    /** Whether no transfer is under way; also after {@link #close}. */
    synchronized boolean isDrained() {
        return closed || EngineNative.transfers(engine) == 0;
    }

    /** As {@link #close()}, but waits for disks no longer than that. */
    synchronized void end(long diskWaitNs) {
        if (closed) {
            return;
        }
        closed = true;
        boolean interrupted = false;
        boolean ended = false;
        for (EventLoop loop : loops) {
            loop.stop();
        }
        try {
            ended = awaitEnd(System.nanoTime() + diskWaitNs);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        watch.stop();
        counters.close();
        if (ended) {
            EngineNative.destroy(engine);
        } else {
            // A loop that waits for a disk has let go of the socket long ago, so its name can go as well.
            EngineNative.closeEndpoint(engine);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean awaitEnd(long deadline) throws InterruptedException {
        boolean ended = awaitLoops(deadline);
        watch.stop(); // last: it frees a loop that is stuck
        watchThread.join();
        if (!ended) {
            return false;
        }
        diskPool.close();
        return diskPool.awaitTermination(deadline - System.nanoTime());
    }

    private boolean awaitLoops(long deadline) throws InterruptedException {
        for (Thread thread : threads) {
            thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
            if (thread.isAlive()) {
                return false;
            }
        }
        return true;
    }
}
