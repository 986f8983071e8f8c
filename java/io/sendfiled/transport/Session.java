package io.sendfiled.transport;

import io.sendfiled.jni.SessionNative;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The session of a client with its daemon: requests and completions through memory that both share. When a daemon ends, the next
 * request asks its successor for another session; while there is none, calls are {@linkplain SessionCall.End#PASSED_ON passed
 * on}.
 *
 * <p>Owns the session, and since the first registration its threads ({@link SessionThreads}). The C library's session is used by
 * one thread at a time: under a lock, which is held for as long as a batch takes to be copied, and never while the user's code
 * runs. A request is written into a buffer; one call into C takes all that is there. What is asked for by actions on the session's
 * own thread is submitted when they have returned.
 *
 * <p>Nothing is allocated for a request but what a thread needs to wait for the lock. Thread-safe.
 */
public final class Session {
    /** Requests in flight, at most; those above it wait. */
    public static final int DEPTH = 512;

    private static final int RING = 2 * DEPTH; // so that a cancel has room while all of them are in flight
    private static final int ARENA = 128 * 1024;
    private static final int RETRY_MS = 1;
    private static final long REOPEN_NS = TimeUnit.SECONDS.toNanos(1);
    private static final long NO_CALL = 0; // the user data of what nobody waits for

    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by.
    static {
        var unused = List.of(IOException.class);
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
    private final int maxQueued;
    private final SessionThreads threads;
    private final ReentrantLock lock = new ReentrantLock();
    private volatile State state = State.NONE; // written under the lock
    // all below: under the lock
    private @Nullable SessionMemory memory; // since the first thread was started
    private boolean closing;
    private long session; // of C; 0: none
    private int epoch; // counts the sessions
    private long reopenNs = System.nanoTime();
    private final Queue<SessionCall> queue = new ArrayDeque<>(); // for which there was no room
    private final Queue<Notice> notices = new ArrayDeque<>(); // likewise
    private int parked; // calls that wait for a registration
    private final Queue<SessionCall> ready = new ArrayDeque<>(); // that have taken their end

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
        threads = new SessionThreads(this, threadName);
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

    /** Submits calls in order, with one call into C for {@value RequestBatch#MOST} of them. */
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
        if (isStarted && !threads.isOwn()) {
            threads.awaitEnd();
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
        if (isKnown(handle) || descriptor == null || handle.closed || !m.slots.hasFree()) {
            return;
        }
        long userData = m.slots.take(handle);
        int result = SessionNative.register(session, handle.kind, descriptor.fd(), userData);
        if (result == -Errno.EAGAIN || result == -Errno.ENOTCONN) {
            var unused = m.slots.free(userData);
            return;
        }
        handle.epoch = epoch;
        handle.state = result < 0 ? SessionHandle.State.FAILED : SessionHandle.State.REGISTERING;
        if (result < 0) {
            var unused = m.slots.free(userData);
        }
    }

    private void tell(Notice notice) {
        if (!notices.isEmpty() || !write(notice)) {
            notices.add(notice);
        }
        flushUnlessHolder();
    }

    /** Makes room for one more request, with so many bytes of text. */
    private boolean hasRoom(RequestBatch batch, int bytes) {
        if (batch.hasRoom(bytes)) {
            return true;
        }
        flush();
        return batch.isEmpty();
    }

    /** Writes a call into the buffer. False if there is no room for it. */
    private boolean write(SessionCall call) {
        SessionMemory m = Objects.requireNonNull(memory);
        SessionRequest request = call.request();
        if (!m.slots.hasFree() || !hasRoom(m.batch, RequestBatch.textOf(request))) {
            return false;
        }
        long ticket = m.slots.take(call);
        call.setTicket(ticket);
        m.batch.add(request, ticket);
        return true;
    }

    private boolean write(Notice notice) {
        RequestBatch batch = Objects.requireNonNull(memory).batch;
        if (!hasRoom(batch, 0)) {
            return false;
        }
        batch.add(notice.operation, notice.handle, notice.target, NO_CALL);
        return true;
    }

    /** Submits what is written, but on the thread that does so when the user's actions have returned. */
    private void flushUnlessHolder() {
        SessionMemory m = memory;
        if (m == null || session == 0 || threads.isHolder()) {
            return;
        }
        flush();
        if (!m.batch.isEmpty() && m.slots.hasFree()) { // the arena is full, and may have room before a completion comes
            signal();
        }
    }

    private void flush() {
        SessionMemory m = Objects.requireNonNull(memory);
        boolean goesOn = true;
        while (goesOn && !m.batch.isEmpty()) {
            int result = m.batch.submit(session);
            goesOn = result < 0 && result != -Errno.ENOTCONN;
            if (goesOn) { // the daemon's own words say better what is wrong with it
                passOnFirst(m);
                signal();
            }
        }
    }

    /** The first request in the buffer will not be submitted. */
    private void passOnFirst(SessionMemory m) {
        if (m.slots.free(m.batch.drop()) instanceof SessionCall call) {
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
            threads.start();
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
            Object of = m.slots.free(m.completions.userData());
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
        boolean unused = handle.parked == null || handle.parked.isEmpty(); // those that waited were withdrawn
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
        while (!m.batch.isEmpty()) {
            passOnFirst(m);
        }
        for (int i = 0; i < CallSlots.COUNT; i++) {
            Object of = m.slots.freeAt(i);
            if (of instanceof SessionCall call) {
                call.setTicket(0);
                end(call, SessionCall.End.LOST);
            } else if (of instanceof SessionHandle handle) {
                unpark(handle, true);
            }
        }
        passOnQueue();
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

    // ---- for its threads, that which has the baton ----

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
    boolean turn() {
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
                boolean waits = !m.batch.isEmpty() || !queue.isEmpty() || !notices.isEmpty();
                timeoutMs = waits && m.slots.hasFree() ? RETRY_MS : -1;
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

    /** Whether a call is to be run. */
    boolean hasReady() {
        lock.lock();
        try {
            return !ready.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /** The next call that is to be run. */
    @Nullable
    SessionCall takeReady() {
        lock.lock();
        try {
            return ready.poll();
        } finally {
            lock.unlock();
        }
    }

    /** No turn will be asked for any more. */
    void closeEvent() {
        lock.lock();
        try {
            close(memory);
        } finally {
            lock.unlock();
        }
    }
}
