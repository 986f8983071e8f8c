package io.sendfiled.transport;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.counters.Counters;
import io.sendfiled.engine.Engine;
import io.sendfiled.engine.LocalReceiver;
import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.Turn;
import io.sendfiled.names.Names;
import io.sendfiled.protocol.RequestOptions;
import io.sendfiled.protocol.ResponseDecoder;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.technique.TechniqueSelector;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * To an engine of this process, which it owns: requests into the mailbox of a loop, messages out of its turn buffer. No datagram,
 * no pipe; a request costs its loop no system call but a wake-up when it sleeps.
 *
 * <p>The event loops only copy messages into the {@link Inbox} of each request, and give each executor one task a turn. The
 * client's own thread, the watcher's, empties what has no executor.
 */
public final class EngineTransport implements Transport, LocalReceiver {
    /** Transfers have so long to end by themselves when the client is closed, in milliseconds. */
    private static final int CLOSE_MS = 500;

    /** And so long the engine, before it is left to end on its own. */
    private static final int ENGINE_CLOSE_MS = 400;

    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by.
    static {
        var unused = List.of(Throwable.class, IOException.class, InterruptedException.class);
    }

    private final String name;
    private final Engine engine;
    private final Map<String, Long> roots = new HashMap<>(); // not changed after the start
    private final long firstRoot;
    private final Tickets tickets = new Tickets();
    private final StatusWatcher watcher;
    private final AtomicInteger calling = new AtomicInteger(); // threads in a native call
    private volatile boolean closed;

    private EngineTransport(
            String name,
            SendfiledConfig config,
            @Nullable TechniqueSelector selector,
            Path root,
            Map<String, Path> named)
            throws IOException {
        this.name = name;
        watcher = new StatusWatcher(name);
        Engine started = null;
        try {
            started = Engine.prepareLocal(config, selector, this);
            firstRoot = addRoot(started, root, config.followRoot());
            for (Map.Entry<String, Path> one : named.entrySet()) {
                roots.put(one.getKey(), addRoot(started, one.getValue(), config.followRoot()));
            }
            engine = started;
        } catch (Throwable t) {
            watcher.discard();
            if (started != null) {
                started.close();
            }
            throw t;
        }
    }

    /**
     * Starts an engine.
     *
     * @param name of the client's thread
     * @param selector selects the techniques that requests do not name; null: the configuration's rules do
     * @param root of requests that name none
     * @param named the other roots
     * @param startThread whether the client's thread is started now, or only where an executor refuses
     * @throws IOException if a root cannot be opened, or no thread or descriptor is free
     */
    public static EngineTransport start(
            String name,
            SendfiledConfig config,
            @Nullable TechniqueSelector selector,
            Path root,
            Map<String, Path> named,
            boolean startThread)
            throws IOException {
        EngineTransport transport = new EngineTransport(name, config, selector, root, named);
        try {
            if (startThread) {
                transport.watcher.start();
            }
            transport.engine.begin();
            transport.engine.onFailure(transport::abandonAll);
            return transport;
        } catch (Throwable t) { // the engine has closed itself, if it was that
            transport.engine.close();
            transport.watcher.close();
            throw t;
        }
    }

    private static long addRoot(Engine engine, Path root, boolean follow) throws IOException {
        Path absolute = Names.absolute(root);
        long handle = EngineNative.addRoot(engine.handle(), Names.bytes(absolute), follow);
        if (handle < 0) {
            Errno.check((int) handle, "open the root " + Names.printable(absolute));
        }
        return handle;
    }

    @Override
    public String where() {
        return "an engine in this process";
    }

    @Override
    public boolean isExtended() {
        return true;
    }

    @Override
    public void submit(
            Call call, int command, TransferRequest request, @Nullable OwnedFd destination, @Nullable OwnedFd source) {
        long root = firstRoot;
        if (request.root() != null) {
            Long known = roots.get(request.root());
            if (known == null) {
                close(destination);
                close(source);
                call.refuse(Errno.EINVAL, "there is no root of the name '" + Names.printable(request.root()) + "'");
                return;
            }
            root = known;
        }
        LocalRequest local;
        try {
            local = new LocalRequest(call);
            local.setTicket(tickets.add(local));
        } catch (Throwable t) { // no memory
            close(destination);
            close(source);
            throw t;
        }
        call.inbox = local;
        long result;
        if (enter()) {
            try {
                result = submit(local, command, root, request, destination, source);
                if (result > 0) {
                    local.begin(result);
                    if (engine.failure() != null) { // since abandonAll
                        call.abandon();
                    }
                    return;
                }
            } finally {
                leave();
            }
        } else {
            close(destination);
            close(source);
            result = -Errno.ECANCELED;
        }
        tickets.remove(local.ticket());
        call.refuse((int) -result, closed ? "the client is closed" : null);
    }

    private long submit(
            LocalRequest local,
            int command,
            long root,
            TransferRequest request,
            @Nullable OwnedFd destination,
            @Nullable OwnedFd source) {
        RequestOptions options = request.options();
        return EngineNative.submit(
                engine.handle(),
                local.ticket(),
                request.owner(),
                commandOf(command, source != null),
                root,
                source != null ? null : request.path(),
                destination == null ? -1 : destination.release(),
                source == null ? -1 : source.release(),
                request.offset(),
                request.length(),
                request.segmentCount() == 0 ? null : request.segments(),
                request.segmentCount(),
                options.technique(),
                options.flags(),
                options.rate(),
                options.idleMs(),
                options.deadlineMs(),
                command == Wire.OPEN_FILE ? request.contentMost() : 0);
    }

    /** A read is a send into the pipe that its bytes come through. */
    private static int commandOf(int command, boolean hasSource) {
        if (hasSource) {
            return Wire.SEND_DESCRIPTOR;
        }
        return command == Wire.READ_FILE ? Wire.SEND_FILE : command;
    }

    @Override
    public void sendOpened(Call call, OwnedFd destination) {
        boolean taken = false;
        if (enter()) {
            try {
                if (call.inbox instanceof LocalRequest local) {
                    int fd = destination.fd();
                    taken = local.sendOpened(fd);
                    if (taken) {
                        var unused = destination.release();
                    }
                }
            } finally {
                leave();
            }
        }
        if (!taken) {
            close(destination);
        }
    }

    @Override
    public void cancel(Call call) {
        if (call.inbox instanceof LocalRequest local && enter()) {
            try {
                local.cancel();
            } finally {
                leave();
            }
        }
    }

    @Override
    public void end(Call call) {} // the final message has ended all

    @Override
    public void release(Call call) {
        throw new IllegalStateException("a read has a pipe of its own");
    }

    @Override
    public boolean execute(Call call, Runnable action) {
        if (closed) {
            return false;
        }
        boolean accepted = Batches.execute(watcher, call, action);
        wakeStarter();
        return accepted;
    }

    @Override
    public void attend(Call call) {
        watcher.attendToFailure(call);
        wakeStarter();
    }

    @Override
    public boolean receiveHere(Call call) {
        Inbox inbox = call.inbox;
        return inbox != null && inbox.empty() && !closed;
    }

    /** What the engine has done. */
    public Counters counters() {
        return engine.counters();
    }

    @Override
    public @Nullable Throwable failure() {
        return engine.failure();
    }

    // ---- on the event loops' threads ----

    @Override
    public void receive(Turn turn) {
        int count = turn.messages();
        if (count == 0) {
            return;
        }
        Batches batches = null;
        int at = Turn.firstMessage();
        for (int i = 0; i < count; i++) {
            LocalRequest local = tickets.find(turn.messageTicket(at));
            if (local != null) {
                try {
                    if (batches == null) {
                        batches = new Batches(watcher);
                    }
                    if (take(local, turn, at)) {
                        batches.add(local);
                    }
                } catch (Throwable t) { // no memory
                    local.call.failLater(t);
                }
            }
            at = turn.nextMessage(at);
        }
        if (batches != null) {
            batches.handOver();
        }
        wakeStarter();
    }

    /** True if the inbox is to be emptied. */
    private boolean take(LocalRequest local, Turn turn, int at) {
        int bytes = Turn.messageBytes(at);
        int length = turn.messageLength(at);
        if (ResponseDecoder.isFinal(turn.memory(), bytes, length)) {
            tickets.remove(local.ticket());
            local.end();
        }
        int content = turn.messageContent(at);
        if (content >= 0) {
            local.call.setContent(contentOf(turn.memory(), bytes + length, content));
        }
        return local.add(turn.memory(), bytes, length);
    }

    /** In an array, which needs nobody to free it, whatever becomes of the call. */
    private static byte[] contentOf(ByteBuffer memory, int at, int length) {
        byte[] content = new byte[length];
        memory.get(at, content);
        return content;
    }

    // ---- the thread that empties what has no executor ----

    /** The housekeeper starts it: that may wait. */
    private void wakeStarter() {
        if (watcher.wantsStart() && enter()) {
            engine.wakeHousekeeper();
            leave();
        }
    }

    @Override
    public boolean startThreads() {
        if (watcher.wantsStart()) {
            try {
                watcher.start();
            } catch (Throwable t) { // no thread, or no memory for one
                return false;
            }
        }
        return true;
    }

    // ---- the end ----

    /** For a native call that needs the engine: false when it may be gone. */
    private boolean enter() {
        calling.incrementAndGet();
        if (closed) {
            calling.decrementAndGet();
            return false;
        }
        return true;
    }

    private void leave() {
        calling.decrementAndGet();
    }

    /**
     * Ends all transfers, and then the engine. Waits for about a second: transfers that the disk still holds have ended by then,
     * too, and the engine ends when the disk lets it.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        while (calling.get() > 0) { // for as long as a call takes that never waits
            Thread.onSpinWait();
        }
        boolean interrupted = false;
        for (LocalRequest local : tickets.all()) {
            local.cancel();
        }
        try {
            tickets.awaitNone(CLOSE_MS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        abandonAll();
        interrupted |= closeEngine();
        var unused = startThreads();
        watcher.close();
        for (LocalRequest local : tickets.all()) { // if no thread could be started
            local.call.abandon();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Those that are left: the disk holds them, or their loop has failed. */
    private void abandonAll() {
        for (LocalRequest local : tickets.all()) {
            Call call = local.call;
            try {
                if (!Batches.execute(watcher, call, call::abandon)) {
                    call.abandon();
                }
            } catch (Throwable t) { // no memory
                call.failLater(t);
            }
        }
        wakeStarter();
    }

    /** On a thread of its own, because a disk may hold it. True if this one was interrupted. */
    private boolean closeEngine() {
        Thread thread;
        try {
            thread = new Thread(null, engine::close, name + "-close", 0, false);
            thread.setDaemon(true);
            thread.start();
        } catch (Throwable t) { // no thread, or no memory for one
            engine.end(TimeUnit.MILLISECONDS.toNanos(ENGINE_CLOSE_MS));
            return false;
        }
        try {
            thread.join(ENGINE_CLOSE_MS);
            return false;
        } catch (InterruptedException e) {
            return true;
        }
    }

    private static void close(@Nullable OwnedFd duplicate) {
        try {
            if (duplicate != null) {
                duplicate.close();
            }
        } catch (IOException e) { // of an earlier write by its owner
            Log.warning("closing what was opened for a request", e);
        }
    }
}
