package io.sendfiled.transport;

import io.sendfiled.jni.SessionNative;
import io.sendfiled.protocol.RequestOptions;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The session of a client with its daemon: requests and completions through memory that both share. When a daemon ends, the next
 * request asks its successor for another session; while there is none, calls are {@linkplain SessionCall.End#PASSED_ON passed
 * on}.
 *
 * <p>Owns the session, and since the first registration the threads: one that waits for completions, and since the first of
 * these a spare one ({@link Baton}). The C library's session is used by one thread at a time: under a lock, which is held for as
 * long as a batch takes to be copied, and never while the user's code runs. A request is written into a buffer; one call into C
 * takes all that is there. What is asked for by actions on the session's own thread is submitted when they have returned.
 *
 * <p>Nothing is allocated for a request but what a thread needs to wait for the lock: a call that is in flight has a slot, whose
 * number and generation are its user data, so that a completion of an earlier one is not taken for its own. Thread-safe.
 */
public final class Session {
    /** Requests in flight, at most; those above it wait. */
    public static final int DEPTH = 512;

    private static final int RING = 2 * DEPTH; // so that a cancel has room while all of them are in flight
    private static final int ARENA = 128 * 1024;
    private static final int RETRY_MS = 1;
    private static final long REOPEN_NS = TimeUnit.SECONDS.toNanos(1);
    private static final long CLOSE_MS = 1_000;
    private static final long NO_CALL = 0; // the user data of what nobody waits for

    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by.
    static {
        var unused = List.of(Throwable.class, IOException.class, InterruptedException.class);
    }

    private enum State {
        NONE,
        OPENING,
        OPEN,
        /** The daemon takes no more requests; those in flight go on. */
        ENDING,
        CLOSED
    }

    /** What is to be told to the daemon, and not answered. */
    private record Notice(int operation, int handle, long target) {}

    private final byte[] directory;
    private final byte[] name;
    private final String threadName;
    private final int maxQueued;
    private final Baton baton = new Baton();
    private final CountDownLatch ended = new CountDownLatch(1);
    private final ReentrantLock lock = new ReentrantLock();
    private volatile @Nullable Thread holder; // of the baton
    private volatile State state = State.NONE; // written under the lock
    private volatile boolean spareStarts;
    // all below: under the lock
    private @Nullable SessionMemory memory; // since the thread was started
    private boolean closing;
    private long session; // of C; 0: none
    private int epoch; // counts the sessions
    private long reopenNs = System.nanoTime();
    private final Queue<SessionCall> queue = new ArrayDeque<>(); // for which there was no room
    private final Queue<Notice> notices = new ArrayDeque<>(); // likewise
    private int parked; // calls that wait for a registration
    // for the thread that has the baton
    private final Queue<SessionCall> ready = new ArrayDeque<>(); // that have taken their end
    private final List<Task> tasks = new ArrayList<>();

    /**
     * Opens nothing yet.
     *
     * @param directory the bytes of the directory of the daemon's socket
     * @param name the bytes of the instance's name
     * @param threadName of the thread
     * @param maxQueued how many calls may wait for room
     */
    public Session(byte[] directory, byte[] name, String threadName, int maxQueued) {
        this.directory = directory;
        this.name = name;
        this.threadName = threadName;
        this.maxQueued = maxQueued;
    }

    /** Whether there is a session now. */
    public boolean isOpen() {
        return state == State.OPEN;
    }

    // ---- any thread ----

    /** Submits a call. Whatever comes of it, the call is told. */
    public void submit(SessionCall call) {
        SessionCall.End end;
        lock.lock();
        try {
            end = accept(call);
            flushUnlessHolder();
        } finally {
            lock.unlock();
        }
        settle(call, end);
    }

    /** Submits calls in order, with one call into C for {@value SessionMemory#BATCH} of them. */
    public void submitAll(SessionCall[] calls) {
        SessionCall.@Nullable End[] ends = new SessionCall.@Nullable End[calls.length];
        lock.lock();
        try {
            for (int i = 0; i < calls.length; i++) {
                ends[i] = accept(calls[i]);
            }
            flushUnlessHolder();
        } finally {
            lock.unlock();
        }
        for (int i = 0; i < calls.length; i++) {
            settle(calls[i], ends[i]);
        }
    }

    private static void settle(SessionCall call, SessionCall.@Nullable End end) {
        if (end != null) {
            call.take(end);
            call.run();
        }
    }

    /** Registers with the session that there is, or has one opened. */
    public void register(SessionHandle handle) {
        lock.lock();
        try {
            if (state == State.OPEN) {
                begin(handle);
            } else {
                openSoon();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Takes a handle back; what was submitted with it goes on. Idempotent. Closes its descriptor. */
    public void release(SessionHandle handle) {
        lock.lock();
        try {
            if (handle.closed) {
                return;
            }
            handle.closed = true;
            if (isReleasable(handle)) {
                tell(new Notice(SessionNative.RELEASE, handle.number, 0));
            }
        } finally {
            lock.unlock();
        }
        try {
            if (handle.descriptor != null) {
                handle.descriptor.close();
            }
        } catch (IOException e) { // of an earlier write by its owner
            Log.warning("closing what was registered", e);
        }
    }

    /** Has the daemon end a call, or ends it here, if it waits. */
    public void withdraw(SessionCall call) {
        lock.lock();
        try {
            long ticket = call.ticket();
            if (ticket != 0 && session != 0) {
                tell(new Notice(SessionNative.WITHDRAW, 0, ticket));
            } else if (ticket == 0 && stopWaiting(call)) {
                end(call, SessionCall.End.WITHDRAWN);
                let(call);
                signal();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Ends all calls, and frees everything. Idempotent; waits for a second at most, and not for the calling thread. */
    public void close() {
        boolean isStarted;
        lock.lock();
        try {
            closing = true;
            isStarted = memory != null;
            if (!isStarted) {
                state = State.CLOSED;
            }
            signal();
        } finally {
            lock.unlock();
        }
        boolean isOwn = Thread.currentThread() instanceof Waiting waiting && waiting.isOf(this);
        if (!isStarted || isOwn) {
            return;
        }
        try {
            var unused = ended.await(CLOSE_MS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // ---- under the lock ----

    private boolean isKnown(SessionHandle handle) {
        return handle.epoch == epoch && session != 0;
    }

    /** Null: it was taken; else how it ends now. */
    private SessionCall.@Nullable End accept(SessionCall call) {
        SessionRequest request = call.request();
        SessionHandle file = request.file();
        SessionHandle to = request.to();
        if (closing || state == State.CLOSED) {
            return SessionCall.End.CLOSED;
        }
        if ((file != null && file.closed) || (to != null && to.closed)) {
            return SessionCall.End.RELEASED;
        }
        if (isOfAnother(file) || isOfAnother(to)) { // whose numbers mean nothing here
            return SessionCall.End.PASSED_ON;
        }
        if (state != State.OPEN) {
            openSoon();
        }
        if (file != null && (state != State.OPEN || !isKnown(file))) {
            return SessionCall.End.LOST;
        }
        if (state != State.OPEN) {
            boolean waits = state == State.OPENING && request.operation() == SessionNative.OPEN;
            return waits ? enqueue(call) : SessionCall.End.PASSED_ON;
        }
        if (to != null) {
            begin(to);
            if (!isKnown(to) || to.state == SessionHandle.State.FAILED) {
                return SessionCall.End.PASSED_ON;
            }
            if (to.state == SessionHandle.State.REGISTERING) {
                return park(to, call);
            }
        }
        return queue.isEmpty() && notices.isEmpty() && write(call) ? null : enqueue(call);
    }

    private boolean isOfAnother(@Nullable SessionHandle handle) {
        return handle != null && handle.owner != this;
    }

    /** What a call that waits needs is not released before it has been written. */
    private static void hold(SessionCall call) {
        SessionHandle file = call.request().file();
        SessionHandle to = call.request().to();
        if (file != null) {
            file.waiting++;
        }
        if (to != null) {
            to.waiting++;
        }
    }

    /** The call waits no more. */
    private void let(SessionCall call) {
        let(call.request().file());
        let(call.request().to());
    }

    private void let(@Nullable SessionHandle handle) {
        if (handle != null) {
            handle.waiting--;
            if (isReleasable(handle)) {
                notices.add(new Notice(SessionNative.RELEASE, handle.number, 0));
            }
        }
    }

    /** Whether the daemon is to be told now that nobody uses it any more. */
    private boolean isReleasable(SessionHandle handle) {
        return handle.closed && handle.waiting == 0 && isKnown(handle) && handle.state == SessionHandle.State.READY;
    }

    /** Whether it has waited until now, for room or for a registration. */
    private boolean stopWaiting(SessionCall call) {
        SessionHandle to = call.request().to();
        if (to != null && to.parked != null && to.parked.remove(call)) {
            parked--;
            return true;
        }
        return queue.remove(call);
    }

    private boolean isFull() {
        return queue.size() + parked >= maxQueued;
    }

    private SessionCall.@Nullable End enqueue(SessionCall call) {
        if (isFull()) {
            return SessionCall.End.REFUSED;
        }
        queue.add(call);
        hold(call);
        return null;
    }

    private SessionCall.@Nullable End park(SessionHandle handle, SessionCall call) {
        if (isFull()) {
            return SessionCall.End.REFUSED;
        }
        handle.park(call);
        parked++;
        hold(call);
        return null;
    }

    /** Registers a descriptor with this session, if that has not been done. What cannot be now is tried with the next use. */
    private void begin(SessionHandle handle) {
        SessionMemory m = Objects.requireNonNull(memory);
        OwnedFd descriptor = handle.descriptor;
        if (isKnown(handle) || descriptor == null || handle.closed || m.freeCount == 0) {
            return;
        }
        long userData = m.takeSlot(handle);
        int result = SessionNative.register(session, handle.kind, descriptor.fd(), userData);
        if (result == -Errno.EAGAIN || result == -Errno.ENOTCONN) {
            var unused = m.freeSlot(userData);
            return;
        }
        handle.epoch = epoch;
        handle.state = result < 0 ? SessionHandle.State.FAILED : SessionHandle.State.REGISTERING;
        if (result < 0) {
            var unused = m.freeSlot(userData);
        }
    }

    private void tell(Notice notice) {
        if (!notices.isEmpty() || !write(notice)) {
            notices.add(notice);
        }
        flushUnlessHolder();
    }

    /** Makes room for one more request, with so many bytes of text. */
    private boolean hasRoom(SessionMemory m, int bytes) {
        if (m.written < SessionMemory.BATCH && m.text.remaining() >= bytes) {
            return true;
        }
        flush();
        return m.written == 0;
    }

    /** Writes a call into the buffer. False if there is no room for it. */
    private boolean write(SessionCall call) {
        SessionMemory m = Objects.requireNonNull(memory);
        SessionRequest request = call.request();
        byte[] path = request.path();
        byte[] head = request.head();
        RequestOptions options = request.options();
        SessionHandle file = request.file();
        SessionHandle to = request.to();
        if (m.freeCount == 0 || !hasRoom(m, path.length + 1 + head.length)) {
            return false;
        }
        long pathAt = path.length == 0 ? 0 : m.textAt + m.text.position();
        if (path.length > 0) {
            m.text.put(path).put((byte) 0);
        }
        long headAt = head.length == 0 ? 0 : m.textAt + m.text.position();
        m.text.put(head);
        int optionsAt = m.written * SessionNative.OPTIONS_SIZE;
        if (options != null) {
            SessionNative.putOptions(
                    m.options,
                    optionsAt,
                    options.rate(),
                    options.idleMs(),
                    options.deadlineMs(),
                    options.technique(),
                    options.flags());
        }
        long ticket = m.takeSlot(call);
        call.setTicket(ticket);
        SessionNative.putRequest(
                m.requests,
                m.written++ * SessionNative.REQUEST_SIZE,
                request.operation(),
                file == null ? 0 : file.number,
                to == null ? 0 : to.number,
                ticket,
                pathAt,
                headAt,
                head.length,
                request.offset(),
                request.length(),
                request.target(),
                options == null ? 0 : m.optionsAt + optionsAt);
        return true;
    }

    private boolean write(Notice notice) {
        SessionMemory m = Objects.requireNonNull(memory);
        if (!hasRoom(m, 0)) {
            return false;
        }
        int at = m.written++ * SessionNative.REQUEST_SIZE;
        SessionNative.putRequest(
                m.requests, at, notice.operation, notice.handle, 0, NO_CALL, 0, 0, 0, 0, 0, notice.target, 0);
        return true;
    }

    /** Submits what is written, but on the thread that does so when the user's actions have returned. */
    private void flushUnlessHolder() {
        SessionMemory m = memory;
        if (m == null || session == 0 || Thread.currentThread() == holder) {
            return;
        }
        flush();
        if (m.written > 0 && m.freeCount > 0) { // the arena is full, and may have room before a completion comes
            signal();
        }
    }

    private void flush() {
        SessionMemory m = Objects.requireNonNull(memory);
        boolean goesOn = m.submitted < m.written;
        while (goesOn) {
            int count = m.written - m.submitted;
            int result = SessionNative.submit(
                    session, m.requestsAt + (long) m.submitted * SessionNative.REQUEST_SIZE, count);
            if (result < 0 && result != -Errno.ENOTCONN) { // the daemon's own words say better what is wrong with it
                passOn(m, m.submitted++);
                signal();
            }
            m.submitted += Math.max(result, 0);
            goesOn = result < 0 && result != -Errno.ENOTCONN && m.submitted < m.written;
        }
        if (m.submitted == m.written) {
            m.submitted = 0;
            m.written = 0;
            m.text.clear();
        }
    }

    /** A request in the buffer will not be submitted. */
    private void passOn(SessionMemory m, int index) {
        long userData = SessionNative.userDataOf(m.requests, index * SessionNative.REQUEST_SIZE);
        if (m.freeSlot(userData) instanceof SessionCall call) {
            passOn(call);
        }
    }

    /** A call that the daemon has not got goes by datagrams, unless what it asks for has gone. */
    private void passOn(SessionCall call) {
        call.setTicket(0);
        end(call, call.request().file() == null ? SessionCall.End.PASSED_ON : SessionCall.End.LOST);
    }

    private void end(SessionCall call, SessionCall.End end) {
        call.take(closing ? SessionCall.End.CLOSED : end);
        ready.add(call);
    }

    /** Writes what has waited for room, and submits it. */
    private void drain() {
        flush();
        boolean goesOn = true;
        while (goesOn) {
            while (!notices.isEmpty() && write(notices.peek())) {
                notices.remove();
            }
            SessionCall call = queue.peek();
            goesOn = notices.isEmpty() && call != null && (call.isOver() || write(call));
            if (goesOn) {
                let(queue.remove());
            }
        }
        flush();
    }

    /** Has a session opened, if it is time to. */
    private void openSoon() {
        if (state != State.NONE || closing || System.nanoTime() - reopenNs < 0) {
            return;
        }
        state = State.OPENING;
        if (memory != null) {
            signal();
            return;
        }
        boolean starts = false;
        SessionMemory fresh = null;
        try {
            fresh = new SessionMemory(OwnedFd.take(Errno.check(SessionNative.openEvent(), "make an event")));
            new Waiting(threadName, true).start();
            memory = fresh;
            starts = true;
        } catch (IOException | OutOfMemoryError e) { // no descriptor, no thread, or no memory: there are datagrams
            reopenNs = System.nanoTime() + REOPEN_NS;
        } finally {
            if (!starts) {
                state = State.NONE;
                close(fresh);
            }
        }
    }

    private static void close(@Nullable SessionMemory memory) {
        try {
            if (memory != null) {
                memory.event.close();
            }
        } catch (IOException e) {
            Log.warning("cannot close an event", e);
        }
    }

    private void signal() {
        if (memory != null && memory.event.isOpen()) {
            SessionNative.signal(memory.event.fd());
        }
    }

    /** Takes completions. How many, or -errno. */
    private int reap() {
        SessionMemory m = Objects.requireNonNull(memory);
        int count = SessionNative.reap(session, m.completions);
        while (m.completions.next()) {
            Object of = m.freeSlot(m.completions.userData());
            if (of instanceof SessionCall call) {
                complete(call, m.completions);
            } else if (of instanceof SessionHandle handle) {
                complete(handle, m.completions);
            }
        }
        return count;
    }

    private void complete(SessionCall call, SessionNative.Completions completion) {
        call.setTicket(0);
        if (completion.error() == Errno.ESHUTDOWN && completion.moved() == 0) {
            state = State.ENDING;
            passOn(call);
            return;
        }
        boolean opens = completion.operation() == SessionNative.OPEN && completion.error() == 0;
        call.take(
                completion, opens ? SessionHandle.opened(this, SessionNative.FILE, epoch, completion.handle()) : null);
        ready.add(call);
    }

    private void complete(SessionHandle handle, SessionNative.Completions completion) {
        boolean failed = completion.error() != 0;
        boolean unused = handle.parked == null;
        handle.number = completion.handle();
        handle.state = failed ? SessionHandle.State.FAILED : SessionHandle.State.READY;
        unpark(handle, failed);
        if (unused && isReleasable(handle)) { // else the last call that waited has seen to it
            notices.add(new Notice(SessionNative.RELEASE, handle.number, 0));
        }
    }

    private void unpark(SessionHandle handle, boolean failed) {
        Queue<SessionCall> waiting = handle.parked;
        handle.parked = null;
        while (waiting != null && !waiting.isEmpty()) {
            SessionCall call = waiting.remove();
            parked--;
            if (!failed && !call.isOver() && !(queue.isEmpty() && write(call))) {
                queue.add(call);
                continue;
            }
            if (failed) {
                passOn(call);
            }
            let(call);
        }
    }

    /** The session is over, or the client is closed. */
    private void endSession() {
        SessionMemory m = Objects.requireNonNull(memory);
        for (int i = m.submitted; i < m.written; i++) {
            passOn(m, i);
        }
        for (int i = 0; i < DEPTH; i++) {
            Object of = m.freeSlot((long) m.generations[i] << Integer.SIZE | i);
            if (of instanceof SessionCall call) {
                call.setTicket(0);
                end(call, SessionCall.End.LOST);
            } else if (of instanceof SessionHandle handle) {
                unpark(handle, true);
            }
        }
        passOnQueue();
        m.submitted = 0;
        m.written = 0;
        m.text.clear();
        notices.clear();
        SessionNative.close(session);
        session = 0;
        state = State.NONE;
    }

    private void passOnQueue() {
        while (!queue.isEmpty()) {
            SessionCall call = queue.remove();
            passOn(call);
            let(call);
        }
    }

    // ---- the thread that has the baton ----

    private void openNow() {
        long result = SessionNative.open(directory, name, RING, RING, ARENA);
        lock.lock();
        try {
            if (result >= 0) {
                session = result;
                epoch++;
                state = State.OPEN;
                drain();
            } else {
                state = State.NONE;
                reopenNs = System.nanoTime() + REOPEN_NS;
                passOnQueue();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Submits what actions have asked for, takes completions, or waits for them. False: the client is closed. */
    private boolean turn() {
        if (state == State.OPENING) {
            openNow();
            return true;
        }
        int fd = -1;
        int event;
        int timeoutMs = -1;
        lock.lock();
        try {
            SessionMemory m = Objects.requireNonNull(memory);
            event = m.event.fd();
            if (session != 0 && !closing) {
                drain();
                int count = reap();
                if (count == -Errno.ENOTCONN) {
                    endSession();
                    return true;
                }
                if (count != 0) {
                    return true;
                }
                fd = SessionNative.fd(session);
                boolean waits = m.written > 0 || !queue.isEmpty() || !notices.isEmpty();
                timeoutMs = waits && m.freeCount > 0 ? RETRY_MS : -1;
            }
            if (closing) {
                if (session != 0) {
                    endSession();
                }
                passOnQueue();
                state = State.CLOSED;
                return false;
            }
            if (!ready.isEmpty()) {
                return true;
            }
        } finally {
            lock.unlock();
        }
        var unused = SessionNative.await(fd, event, timeoutMs);
        return true;
    }

    /** Until the end, or until another thread has the baton. */
    private void goOn(Waiting thread) {
        holder = thread;
        boolean open = true;
        while (open || hasReady()) {
            SessionCall call = takeReady();
            if (call != null && call.executor() != null) {
                taskOf(call.executor()).calls.add(call);
            } else if (call != null) {
                if (!lent(call)) {
                    return;
                }
            } else if (!tasks.isEmpty()) {
                if (!lent(tasks.remove(tasks.size() - 1))) {
                    return;
                }
            } else {
                open = turn();
            }
        }
        holder = null;
        baton.end();
        lock.lock();
        try {
            close(memory);
        } finally {
            lock.unlock();
        }
        ended.countDown();
    }

    private boolean hasReady() {
        return !tasks.isEmpty() || !isReadyEmpty();
    }

    private boolean isReadyEmpty() {
        lock.lock();
        try {
            return ready.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    private @Nullable SessionCall takeReady() {
        lock.lock();
        try {
            return ready.poll();
        } finally {
            lock.unlock();
        }
    }

    private Task taskOf(Executor executor) {
        for (Task task : tasks) {
            if (task.executor == executor) {
                return task;
            }
        }
        Task task = new Task(executor);
        tasks.add(task);
        return task;
    }

    /** Runs the user's code. False when another thread has taken the baton meanwhile. */
    private boolean lent(Runnable action) {
        if (!baton.hasSpare()) {
            startSpare();
        }
        long lent = baton.lend();
        try {
            action.run();
        } catch (Throwable t) { // no memory
            Log.error("the client's thread goes on after a failure", t);
        }
        return baton.takeBack(lent);
    }

    private void startSpare() {
        if (spareStarts) {
            return;
        }
        spareStarts = true;
        try {
            new Waiting(threadName + "-spare", false).start();
        } catch (OutOfMemoryError e) { // no thread, or no memory for one: the next call tries again
            spareStarts = false;
        }
    }

    /** What one executor is to run: the calls that were complete at the same time. */
    private static final class Task implements Runnable {
        final Executor executor;
        final List<SessionCall> calls = new ArrayList<>();

        Task(Executor executor) {
            this.executor = executor;
        }

        @Override
        public void run() {
            try {
                executor.execute(this::runAll);
            } catch (Throwable t) { // the user's
                Log.warning(
                        "an executor has refused to complete requests, so that the client's own thread does: "
                                + executor,
                        t);
                runAll();
            }
        }

        private void runAll() {
            calls.forEach(SessionCall::run);
        }
    }

    /** A thread that has the baton, had it, or is the spare one. */
    private final class Waiting extends Thread {
        private final boolean begins;

        Waiting(String name, boolean begins) {
            super(null, null, name, 0, false); // inherits no thread locals
            this.begins = begins;
            setDaemon(true);
        }

        boolean isOf(Session session) {
            return session == Session.this;
        }

        @Override
        public void run() {
            if (begins) {
                goOn(this);
            }
            while (baton.await()) {
                spareStarts = false; // this one is the spare thread no more
                goOn(this);
            }
            spareStarts = false;
        }

        /** Does nothing: the threads are nobody's to interrupt, and the spare one would not sleep any more. */
        @Override
        public void interrupt() {}
    }
}
