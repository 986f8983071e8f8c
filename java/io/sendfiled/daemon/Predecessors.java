package io.sendfiled.daemon;

import io.sendfiled.jni.SuccessionNative;
import io.sendfiled.sys.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The processes of this instance that came before this one and still have transfers: hears what they have taken of what was
 * left to them, and notices when they end. native/core/loop/succession.h says what that is about.
 *
 * <p>A thread for each, while it lives. Owns the sockets to them. The methods are for one thread at a time.
 */
final class Predecessors implements AutoCloseable {
    /** A predecessor that was asked, and says nothing for so long, is not waited for any more: nobody else is served then. */
    private static final int SILENCE_MS = 1_000;

    /** One of them, by its position in the engine. */
    private static final class Predecessor {
        final int index;
        final int fd;

        @Nullable
        Thread thread;

        volatile boolean ended;

        Predecessor(int index, int fd) {
            this.index = index;
            this.fd = fd;
        }
    }

    private final long engine;
    private final List<Predecessor> all = new ArrayList<>();
    private final int[] wake = new int[2];
    private final Consumer<String> complain;
    private final CompletableFuture<Boolean> done = new CompletableFuture<>();
    private boolean woken;
    private boolean closed;

    /** None. */
    Predecessors(long engine, Consumer<String> complain) {
        this(engine, new int[0], complain);
    }

    /**
     * @param sockets to them, in the engine's order; taken
     * @param complain is told of one that does not answer
     */
    Predecessors(long engine, int[] sockets, Consumer<String> complain) {
        this.engine = engine;
        this.complain = complain;
        for (int i = 0; i < sockets.length; i++) {
            all.add(new Predecessor(i, sockets[i]));
        }
        closed = all.isEmpty();
        if (!closed && SuccessionNative.pair(wake) < 0) {
            throw new OutOfMemoryError("no descriptor to wait for the processes before this one");
        }
    }

    /** Begins to listen to them; also again after {@link #suspend}. */
    void listen() {
        if (closed) {
            return;
        }
        if (woken) {
            String unused = SuccessionNative.receive(wake[0], -1, 0, new int[1]);
            woken = false;
        }
        for (Predecessor one : all) {
            if (!one.ended) {
                Thread thread = new Thread(() -> listenTo(one), "sendfiled-predecessor");
                thread.setDaemon(true);
                one.thread = thread;
                thread.start();
            }
        }
    }

    private void listenTo(Predecessor one) {
        int[] errno = new int[1];
        boolean silent = false;
        while (true) {
            String said = SuccessionNative.receive(one.fd, wake[0], SILENCE_MS, errno);
            if (HandOver.DONE.equals(said)) {
                done.complete(true);
            } else if (said != null && !said.isEmpty()) {
                silent = false;
                SuccessionNative.taken(engine);
            } else if (errno[0] == Errno.ECANCELED) {
                return;
            } else if (errno[0] == Errno.ETIMEDOUT && !(silent && SuccessionNative.delegates(engine))) {
                silent = SuccessionNative.delegates(engine);
            } else {
                if (errno[0] == Errno.ETIMEDOUT) {
                    complain.accept("a process that was replaced does not answer: its clients' open files are lost");
                }
                one.ended = true;
                if (one == all.get(all.size() - 1)) {
                    done.complete(false);
                }
                SuccessionNative.forgetPredecessor(engine, one.index);
                return;
            }
        }
    }

    /** Whether the last of them, whose place this process takes, says so in time that this process serves now. */
    boolean isDone(int timeoutMs) {
        try {
            return done.get(timeoutMs, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (ExecutionException | TimeoutException e) {
            return false;
        }
    }

    /** Whether one of them lives. */
    boolean any() {
        return all.stream().anyMatch(one -> !one.ended);
    }

    /** Nobody listens to them any more: the next process of the instance may. */
    void suspend() {
        if (closed || woken) {
            return;
        }
        woken = true;
        int unused = SuccessionNative.send(wake[1], "stop");
        boolean interrupted = false;
        for (Predecessor one : all) {
            interrupted |= join(one.thread);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static boolean join(@Nullable Thread thread) {
        boolean interrupted = false;
        while (thread != null && thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        return interrupted;
    }

    /** Has all of them end now, with their transfers. */
    void end() {
        for (Predecessor one : all) {
            if (!closed && !one.ended) {
                int unused = SuccessionNative.send(one.fd, HandOver.END);
            }
        }
    }

    /** Before the engine ends. Idempotent. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        suspend();
        closed = true;
        all.forEach(one -> SuccessionNative.close(one.fd));
        SuccessionNative.close(wake[0]);
        SuccessionNative.close(wake[1]);
    }
}
