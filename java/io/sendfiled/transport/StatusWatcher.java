package io.sendfiled.transport;

import io.sendfiled.protocol.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.Pipe;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Watches the status channels of one client's transfers.
 *
 * <p>Owns the selector and the threads: one that watches, and since the first answer a spare one. The user's code (listeners,
 * dependent actions, an executor) runs on the one that watches. When it does not return soon, the spare one goes on with
 * everything but that call, as {@link Baton} says. So this class calls it outside of the selector, and by {@link
 * #handle} alone, and keeps in fields what is still to be done.
 *
 * <p>Other threads use {@link #execute}, {@link #release} and {@link #attend}. Whatever is thrown here ends at most the call
 * that it belongs to.
 */
final class StatusWatcher {
    private static final int BUFFER_SIZE = 256 * Wire.TRANSFER_STATUS_SIZE;

    /** What has failed for want of a thread or memory is tried again after so long, in milliseconds. */
    static final int RETRY_MS = 10;

    private static final long SPARE_RETRY_NS = TimeUnit.SECONDS.toNanos(1);
    private static final int CLOSE_MS = 1_000;

    /** What is done for a call and may run the user's code. */
    private interface Work {
        void on(Call call, Watching thread) throws IOException;
    }

    private static final Work READ = (call, thread) -> thread.read(call);
    private static final Work HAND_OVER = (call, thread) -> thread.release(call);
    private static final Work ATTEND = (call, thread) -> thread.attendTo(call);
    private static final Work ABANDON = (call, thread) -> call.abandon();
    private static final Work DELIVER = (call, thread) -> thread.batches.handOver();

    /** Work that another thread has left. */
    private static final class Task implements Work {
        final Call call;
        final Runnable action;

        Task(Call call, Runnable action) {
            this.call = call;
            this.action = action;
        }

        @Override
        public void on(Call unused, Watching thread) {
            action.run();
        }
    }

    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by.
    static {
        var unused = List.of(
                Throwable.class,
                IOException.class,
                ClosedChannelException.class,
                ClosedSelectorException.class,
                CancelledKeyException.class);
    }

    private final String name;
    private volatile Selector selector; // written by the thread that has the baton
    private final Baton baton = new Baton();
    private final Queue<Task> intake = new ConcurrentLinkedQueue<>();
    private final Queue<Call> releasing = new ConcurrentLinkedQueue<>();
    private final AtomicReference<@Nullable Call> attention = new AtomicReference<>(); // a stack
    private final CountDownLatch ended = new CountDownLatch(1);
    private final AtomicBoolean started = new AtomicBoolean();
    private volatile BooleanSupplier chore = () -> false;
    private volatile @Nullable Thread holder;
    private volatile @Nullable Throwable failure;
    private volatile boolean closing;
    private volatile boolean spareStarts;
    private volatile boolean isShaken; // there was no memory: the selector may be damaged
    // all below: for the thread that has the baton
    private final Queue<Call> ready = new ArrayDeque<>(); // to be read; to be abandoned in the end
    private @Nullable Call reading; // whoever takes the baton leaves this one to the thread that had it
    private int released; // so many of `releasing` have no key any more
    private boolean ending;
    private long spareTriedNs = System.nanoTime() - SPARE_RETRY_NS;

    /**
     * @param name of the thread
     * @throws IOException if no descriptor is free
     */
    StatusWatcher(String name) throws IOException {
        this.name = name;
        selector = Selector.open();
    }

    /**
     * Starts the thread.
     *
     * @param always done between two selections; true if it is to be done again after {@value #RETRY_MS} ms
     * @throws OutOfMemoryError if it cannot be started; then the watcher is to be discarded
     */
    void start(BooleanSupplier always) {
        chore = always;
        start();
    }

    /** Starts the thread, if it was not started. Throws as {@link #start(BooleanSupplier)}; then it can be tried again. */
    void start() {
        if (started.get() || !started.compareAndSet(false, true)) {
            return;
        }
        boolean starts = false;
        try {
            new Watching(name, true).start();
            starts = true;
        } finally {
            started.set(starts);
        }
    }

    /** Closes a watcher that was not started. Idempotent. */
    void discard() {
        closing = true;
        end();
    }

    /** Whether something waits for the thread although it was not started. */
    boolean wantsStart() {
        return !started.get() && (attention.get() != null || !intake.isEmpty());
    }

    boolean isClosing() {
        return closing;
    }

    /** Runs a task on the watcher's thread. False, and nothing happens, when the watcher has been closed. */
    boolean execute(Call call, Runnable action) {
        if (closing) {
            return false;
        }
        Task task = new Task(call, action);
        intake.add(task);
        wakeUp();
        return !closing || !intake.remove(task);
    }

    /**
     * Whether what is to come can come while the calling thread waits for it: not if that is the one that watches, and there
     * is no spare one; nor after the end.
     */
    boolean goesOnWithoutCaller() {
        if (ended.getCount() == 0) {
            return false;
        }
        if (!(Thread.currentThread() instanceof Watching thread && thread.watcher() == this)) {
            return true;
        }
        // In this order: a spare thread that is none any more has taken the baton before.
        return spareStarts || baton.hasSpare() || baton.isTaken(thread.lent);
    }

    /** Makes the watcher look at its queues, and release the descriptors of channels that were closed. */
    void wakeUp() {
        if (Thread.currentThread() != holder) {
            selector.wakeup();
        }
    }

    /** Watches a call's status channel until its end. On the watcher's thread. */
    void watch(Call call) {
        if (closing) {
            call.abandon();
            return;
        }
        try {
            channelOf(call).configureBlocking(false);
            channelOf(call).register(selector, SelectionKey.OP_READ, call);
            wakeUp(); // if the baton was taken meanwhile: a selection under way does not see what is registered
        } catch (IOException e) { // does nothing to a call that has ended already
            call.fail(e);
        }
    }

    /** Stops watching a channel and gives it, to be set to blocking mode, to {@link Call#onReleased}. */
    void release(Call call) {
        releasing.add(call);
        wakeUp();
    }

    private static Pipe.SourceChannel channelOf(Call call) {
        return Objects.requireNonNull(call.status);
    }

    /** Calls {@link Call#onAttention} soon. Any thread; allocates nothing, and needs little stack. */
    void attend(Call call) {
        if (call.wantsAttention.compareAndSet(false, true)) {
            Call top = attention.get();
            call.nextAttention = top;
            while (!attention.compareAndSet(top, call)) {
                top = attention.get();
                call.nextAttention = top;
            }
        }
        wakeUp();
    }

    /** The same after a failure that may be one of the memory, which the selector would have needed as well. */
    void attendToFailure(Call call) {
        isShaken = true;
        attend(call);
    }

    /** Reads on from a call that was left to a thread which had lost the baton. On the watcher's thread. */
    void readOn(Call call) {
        call.isHeld = false;
        SelectionKey key = channelOf(call).keyFor(selector);
        if (key != null) {
            setInterest(key, SelectionKey.OP_READ);
            wakeUp(); // as in watch
        }
    }

    /** Why it ended although nobody closed it; null if it did not. */
    @Nullable
    Throwable failure() {
        return failure;
    }

    /** Closes the status channel of a call that is over. */
    void close(Call call) {
        Pipe.SourceChannel channel = call.status;
        if (channel == null) {
            return;
        }
        try {
            channel.close();
            if (channel.isRegistered()) { // the next selection removes the key, and closes the descriptor
                wakeUp();
            }
        } catch (IOException e) {
            Log.warning("cannot close a status channel", e);
        }
    }

    /** Ends all calls and the threads. Idempotent. Waits for at most a second, also if the thread is interrupted. */
    void close() {
        if (started.compareAndSet(false, true)) {
            discard();
            return;
        }
        closing = true;
        selector.wakeup();
        if (Thread.currentThread() instanceof Watching thread && thread.watcher() == this) {
            return; // it ends when the user's code that called this has returned
        }
        boolean interrupted = false;
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CLOSE_MS);
        boolean waiting = true;
        while (waiting) {
            try {
                var unused = ended.await(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
                waiting = false;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- on the thread that has the baton ----

    private void watchAll(Watching thread) {
        holder = thread;
        boolean mine = true;
        while (mine && ended.getCount() > 0) {
            try {
                mine = round(thread);
            } catch (IOException | ClosedSelectorException e) {
                failure = e;
                closing = true;
                report(null, e);
            } catch (Throwable t) { // no memory, most likely
                isShaken = true;
                pauseBeforeRetry();
                report(null, t);
            }
        }
        thread.batches.handOver();
    }

    /** One selection, and what it has brought. False when the baton was lost. */
    private boolean round(Watching thread) throws IOException {
        if (closing && !ending) {
            beginEnd();
        }
        if (isShaken && !ending && !replaceSelector()) {
            pauseBeforeRetry();
            return true;
        }
        cancelKeys();
        select();
        while (released > 0) {
            released--;
            if (!handle(thread, HAND_OVER, releasing.remove())) {
                return false;
            }
        }
        for (Call next = ready.poll(); next != null; next = ready.poll()) {
            if (!handle(thread, ending ? ABANDON : READ, next)) {
                return false;
            }
        }
        Call any = thread.batches.any();
        if (any != null && !handle(thread, DELIVER, any)) {
            return false;
        }
        for (Task task = intake.poll(); task != null; task = intake.poll()) {
            if (!handle(thread, task, task.call)) {
                return false;
            }
        }
        for (Call next = popAttention(); next != null; next = popAttention()) {
            if (!handle(thread, ATTEND, next)) {
                return false;
            }
        }
        if (ending && intake.isEmpty()) {
            end();
        }
        return true;
    }

    /** A channel can change its mode only when its key is removed, which the next selection does. */
    private void cancelKeys() {
        int count = 0;
        if (!ending && !releasing.isEmpty()) {
            for (Call call : releasing) {
                SelectionKey key = channelOf(call).keyFor(selector);
                if (key != null) {
                    key.cancel();
                }
                count++;
            }
        }
        released = count;
    }

    /**
     * Where a selector had no memory, it has forgotten some of what it was told, and may never listen again: an ArrayDeque
     * that could not grow loses what is put into it. Another one takes its place. False if there is no descriptor for it: the
     * next round tries again, as it does if there is still no memory.
     */
    private boolean replaceSelector() {
        Selector old = selector;
        Selector fresh = null;
        boolean replaced = false;
        isShaken = false; // it may be shaken again meanwhile
        try {
            fresh = Selector.open();
            for (SelectionKey key : old.keys()) {
                watch(key, fresh);
            }
            selector = fresh; // who wakes up the old one has said before why
            replaced = true;
        } catch (IOException e) {
            report(null, e);
        } finally {
            if (!replaced) {
                isShaken = true;
            }
            close(replaced ? old : fresh);
        }
        return replaced;
    }

    private static void watch(SelectionKey key, Selector fresh) {
        try {
            if (key.isValid()) {
                key.channel().register(fresh, SelectionKey.OP_READ, key.attachment());
            }
        } catch (ClosedChannelException e) { // its call has ended, and its key was not cancelled any more
            return;
        }
    }

    private void close(@Nullable Selector unused) {
        try {
            if (unused != null) {
                unused.close();
            }
        } catch (Throwable t) { // no memory
            report(null, t);
        }
    }

    private static void setInterest(SelectionKey key, int operations) {
        try {
            key.interestOps(operations);
        } catch (CancelledKeyException e) { // its call has ended meanwhile
            return;
        }
    }

    private void select() throws IOException {
        if (ending || !ready.isEmpty()) { // what is ready was told already
            return;
        }
        boolean again = chore.getAsBoolean();
        // A selection that does not wait may have used up the wake-up of what came meanwhile.
        if (released > 0 || !intake.isEmpty() || attention.get() != null) {
            selector.selectNow(this::ready);
        } else {
            selector.select(this::ready, again ? RETRY_MS : 0);
        }
    }

    private void ready(SelectionKey key) {
        Call call = (Call) key.attachment();
        if (call == null || !key.isValid()) {
            return;
        }
        if (call.isHeld) {
            setInterest(key, 0); // until readOn
        } else {
            ready.add(call);
        }
    }

    /** Does what may run the user's code. False when another thread has taken the baton meanwhile. */
    private boolean handle(Watching thread, Work work, Call call) {
        reading = work == READ ? call : null;
        long lent = baton.lend();
        thread.lent = lent;
        try {
            if (!baton.hasSpare()) {
                startSpare();
            }
            work.on(call, thread);
        } catch (Throwable t) {
            isShaken = true;
            call.fail(t);
            report(call, t);
        }
        if (baton.takeBack(lent)) {
            reading = null; // nor does it keep the call, and with it the client, from being found forgotten
            return true;
        }
        if (work == READ) {
            attend(call); // it may be read by whoever watches now
        }
        return false;
    }

    /** Never throws: a handler that does would end the thread, or leave the baton lent. Even a literal is allocated once. */
    private void report(@Nullable Call call, Throwable t) {
        try {
            if (call != null) {
                Log.error("cannot handle " + call, t);
            } else if (failure == t) {
                Log.error("the client cannot watch its transfers any more", t);
            } else {
                Log.error("the client's thread goes on after a failure", t);
            }
        } catch (Throwable again) { // no memory for the message
            return;
        }
    }

    /** Until what has failed is tried again. Allocates nothing. */
    static void pauseBeforeRetry() {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(RETRY_MS));
    }

    private void startSpare() {
        long now = System.nanoTime();
        if (spareStarts || now - spareTriedNs < SPARE_RETRY_NS) {
            return;
        }
        spareStarts = true;
        try {
            new Watching(name + "-spare", false).start();
        } catch (Throwable t) { // no thread, or no memory for one
            spareTriedNs = now;
            spareStarts = false;
            Log.warning("while no thread can be started, actions that wait hold up all transfers of the client", t);
        }
    }

    private @Nullable Call popAttention() {
        Call top = attention.get();
        while (top != null && !attention.compareAndSet(top, top.nextAttention)) { // only the holder pops
            top = attention.get();
        }
        if (top != null) {
            top.wantsAttention.set(false);
        }
        return top;
    }

    /** From here on every call is abandoned: those that are here, and those that tasks bring. */
    private void beginEnd() {
        try {
            for (SelectionKey key : selector.keys()) {
                Call call = (Call) key.attachment();
                if (call != null) {
                    ready.add(call);
                }
            }
        } catch (ClosedSelectorException e) { // then there is none
            Log.warning("the selector is closed", e);
        }
        ready.addAll(releasing);
        released = 0;
        ending = true;
    }

    private void end() {
        try {
            selector.close();
        } catch (IOException e) {
            Log.warning("cannot close the selector", e);
        }
        baton.end();
        ended.countDown();
    }

    /** A thread that has the baton, had it, or is the spare one. */
    private final class Watching extends Thread {
        final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_SIZE).order(ByteOrder.nativeOrder());
        final Batches batches = new Batches(StatusWatcher.this);
        private final boolean begins;
        long lent; // the baton, last

        Watching(String name, boolean begins) {
            super(null, null, name, 0, false); // inherits no thread locals
            this.begins = begins;
            setDaemon(true);
        }

        StatusWatcher watcher() {
            return StatusWatcher.this;
        }

        /** Reads the bytes that are there. The next selection finds whether there are more. */
        void read(Call call) {
            int count;
            buffer.clear().limit(Math.min(buffer.capacity(), call.readLimit()));
            try {
                count = channelOf(call).read(buffer);
            } catch (ClosedChannelException e) { // on its executor it has got its last word meanwhile, and ended this
                return;
            } catch (IOException e) {
                call.fail(e);
                return;
            }
            Inbox inbox = call.inbox;
            if (inbox != null) {
                deliver(inbox, count);
            } else if (count < 0) {
                call.onEnd();
            } else {
                call.onMessages(buffer.flip());
            }
        }

        private void deliver(Inbox inbox, int count) {
            if (count < 0) {
                stopReading(inbox.call);
            }
            if (count < 0 ? inbox.addEnd() : inbox.add(buffer, 0, count)) {
                batches.add(inbox);
            }
        }

        private void stopReading(Call call) {
            SelectionKey key = channelOf(call).keyFor(selector);
            if (key != null) {
                key.cancel();
            }
        }

        /** The status channel carries the file's bytes from here on, and is the call's. */
        void release(Call call) {
            Pipe.SourceChannel channel = channelOf(call);
            if (call.inbox == null) {
                call.onReleased(channel);
            } else if (!Batches.execute(StatusWatcher.this, call, () -> call.onReleased(channel))) {
                call.abandon();
            }
        }

        /** Such a thread has most of its stack left. */
        void attendTo(Call call) {
            call.onAttention();
            if (call.isHeld && !call.isOver()) {
                readOn(call);
            }
            if (call.wantsAttention.get()) { // it has failed again
                pauseBeforeRetry();
            }
        }

        @Override
        public void run() {
            if (begins) {
                watchAll(this);
            }
            while (baton.await()) {
                spareStarts = false; // this one is the spare thread no more
                Call left = reading;
                if (left != null) {
                    left.isHeld = true;
                }
                watchAll(this);
            }
            spareStarts = false;
        }

        /**
         * Does nothing. The threads are nobody's to interrupt, and the status would close the channel of whatever transfer is
         * read next, and let the selector spin.
         */
        @Override
        public void interrupt() {}
    }
}
