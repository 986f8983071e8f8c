package io.sendfiled.netty;

import java.io.IOException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.Pipe;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Tells event loops that a pipe can be read: the transports of Netty cannot watch one, each for a reason of its own. One
 * thread for all loops, which is there while there are pipes; it neither reads nor writes.
 */
final class PipeSelector {
    /** For so long the thread stays behind the last pipe. */
    private static final long IDLE_MS = 2_000;

    private static @Nullable PipeSelector current; // guarded by the class

    private final Selector selector;
    private final Queue<Registration> added = new ConcurrentLinkedQueue<>();
    private int users; // guarded by the class
    private long usedNs = System.nanoTime(); // when there was one

    private PipeSelector(Selector selector) {
        this.selector = selector;
    }

    /** One pipe. Its methods may be called by any thread. */
    static final class Registration {
        private final PipeSelector owner;
        private final Pipe.SourceChannel channel;
        private final Executor loop;
        private final Runnable onReadable;
        private volatile @Nullable SelectionKey key;
        private final AtomicBoolean closed = new AtomicBoolean();

        private Registration(PipeSelector owner, Pipe.SourceChannel channel, Executor loop, Runnable onReadable) {
            this.owner = owner;
            this.channel = channel;
            this.loop = loop;
            this.onReadable = onReadable;
        }

        /**
         * Runs the task on the loop, once, as soon as there are bytes or the writers are gone.
         *
         * @throws ClosedSelectorException if pipes cannot be watched any more
         */
        void await() {
            if (!owner.selector.isOpen()) {
                throw new ClosedSelectorException();
            }
            SelectionKey known = key;
            if (known == null) {
                owner.added.add(this);
            } else if (known.isValid()) {
                known.interestOps(SelectionKey.OP_READ);
            }
            owner.selector.wakeup();
        }

        /** Closes the pipe's read end. Idempotent. */
        void close() {
            if (!closed.compareAndSet(false, true)) {
                return;
            }
            owner.leave();
            closeChannel(channel);
            owner.selector.wakeup(); // a selected channel's descriptor is closed by the next selection
        }
    }

    /**
     * Takes the read end of a pipe, in non-blocking mode.
     *
     * @param loop where {@code onReadable} runs after each {@link Registration#await}
     * @throws IOException if this process has no descriptor or no thread for it
     */
    static Registration register(Pipe.SourceChannel channel, Executor loop, Runnable onReadable) throws IOException {
        synchronized (PipeSelector.class) {
            PipeSelector owner = current;
            if (owner == null) {
                owner = start();
            }
            owner.users++;
            return new Registration(owner, channel, loop, onReadable);
        }
    }

    private void leave() {
        synchronized (PipeSelector.class) {
            users--;
        }
    }

    private static PipeSelector start() throws IOException {
        PipeSelector started = new PipeSelector(Selector.open());
        Thread thread = new Thread(started::run, "sendfiled-netty-pipes");
        thread.setDaemon(true);
        thread.setContextClassLoader(null); // it outlives the application that started it
        try {
            thread.start();
        } catch (Throwable t) { // no thread
            started.selector.close();
            throw new IOException("no thread to watch pipes", t);
        }
        current = started;
        return started;
    }

    private void run() {
        try {
            while (!isIdle()) {
                selector.select(this::onReady, IDLE_MS);
                for (Registration next = added.poll(); next != null; next = added.poll()) {
                    add(next);
                }
            }
        } catch (IOException | ClosedSelectorException e) {
            Log.warning("pipes cannot be watched any more", e);
        } finally {
            end();
        }
    }

    private boolean isIdle() {
        long now = System.nanoTime();
        synchronized (PipeSelector.class) {
            if (users > 0) {
                usedNs = now;
            } else if (now - usedNs > TimeUnit.MILLISECONDS.toNanos(IDLE_MS)) {
                forget(); // who comes now starts the next one
                return true;
            }
            return false;
        }
    }

    private void forget() {
        if (current == this) {
            current = null;
        }
    }

    private void end() {
        List<Registration> left = new ArrayList<>();
        synchronized (PipeSelector.class) {
            forget();
        }
        selector.keys().forEach(key -> left.add((Registration) key.attachment()));
        try {
            selector.close();
        } catch (IOException e) {
            Log.warning("closing the selector of pipes", e);
        }
        left.addAll(added);
        left.forEach(PipeSelector::tell); // they learn that they cannot wait any more
    }

    private void add(Registration registration) {
        try {
            registration.key = registration.channel.register(selector, SelectionKey.OP_READ, registration);
        } catch (IOException | RuntimeException e) { // closed meanwhile
            tell(registration);
        }
    }

    private void onReady(SelectionKey key) {
        if (key.isValid()) {
            key.interestOps(0);
        }
        tell((Registration) key.attachment());
    }

    private static void tell(Registration registration) {
        try {
            registration.loop.execute(registration.onReadable);
        } catch (RejectedExecutionException e) { // the loop has ended, and with it all of its channels
            registration.close();
        }
    }

    static void closeChannel(java.nio.channels.Channel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            Log.warning("closing a pipe", e);
        }
    }
}
