package io.sendfiled.client;

import io.sendfiled.base.Forgotten;
import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.counters.Counters;
import io.sendfiled.jni.ClientNative;
import io.sendfiled.jni.SessionNative;
import io.sendfiled.names.Names;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.transport.Baton;
import io.sendfiled.transport.DaemonTransport;
import io.sendfiled.transport.EngineTransport;
import io.sendfiled.transport.JavaTransport;
import io.sendfiled.transport.Log;
import io.sendfiled.transport.Session;
import io.sendfiled.transport.SessionHandle;
import io.sendfiled.transport.Transport;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Hands a file's name and a socket to an engine, and does not wait: to a daemon's, or to one {@linkplain #embedded() inside this
 * process}. Both are used alike.
 *
 * <pre>{@code
 * try (SendfiledClient client = SendfiledClient.connect()) {
 *     client.send("videos/a.mp4", socket).result()
 *             .whenCompleteAsync((result, failure) -> ..., eventLoop);
 * }
 * }</pre>
 *
 * <p>{@link FileRequest#with} sets how the bytes are moved, how fast and for how long; {@link FileRequest#of(Source)}
 * sends a file that this process has open. Both need a daemon that knows the extended form of the protocol.
 *
 * <p>No method for a transfer blocks or throws because of the daemon, the disk or the destination: failures appear in
 * the transfer's futures only. Every future ends, also when this process has no memory or no threads, or when an action, a
 * listener, a target or an executor of the user's throws anything. Thread-safe; one client serves a whole process. With a daemon
 * it needs one pipe for each transfer, or two for a read with options; after a restart of the daemon, the next request connects
 * again.
 *
 * <p>Transfers are completed by the {@linkplain FileRequest#completingOn executor} of their request, or {@linkplain
 * Builder#completionExecutor that of the client}. Without one they are completed by a thread of the client's, which also watches
 * the status channels of a daemon, and so runs their dependent actions. When an
 * action takes more than {@value Baton#LIMIT_MS} ms, another thread goes on with all other transfers: each action that waits keeps
 * one thread and its own transfer. For that a second thread stands by, from the first answer on.
 *
 * <p>A client that is forgotten, and its transfers with it, is closed when the garbage collector finds it, which is logged.
 */
public final class SendfiledClient implements AutoCloseable {
    /** The name of the instance that is used when none is given. */
    public static final String DEFAULT_NAME = "default";

    private static final AtomicInteger CLIENTS = new AtomicInteger();

    private final Transport transport;
    private final Copying copying;
    private final ClientParts parts;
    private final Destination nowhere;

    private SendfiledClient(ClientParts parts) {
        this.parts = parts;
        transport = parts.transport;
        copying = parts.copying;
        nowhere = parts.nowhere;
        var unused = Forgotten.watch(this, parts::reclaim);
    }

    boolean isClosed() {
        return parts.isClosed();
    }

    /** What the embedded engine has done since it was started; null if the engine is a daemon. Readable after {@link #close}, too. */
    public @Nullable Counters counters() {
        return transport instanceof EngineTransport embedded ? embedded.counters() : null;
    }

    /**
     * How requests reach the engine now. With a daemon: {@link TransportKind#SESSION} while there is a session, which the first
     * registration asks for; {@link TransportKind#DATAGRAMS} before, while there is none, and if the daemon offers none. All
     * requests work either way.
     */
    public TransportKind transport() {
        Session session = parts.session;
        if (session != null) {
            return session.isOpen() ? TransportKind.SESSION : TransportKind.DATAGRAMS;
        }
        return transport instanceof EngineTransport ? TransportKind.ENGINE : TransportKind.JAVA;
    }

    /** Where requests are completed that do not say so; null: where the transport does that. */
    @Nullable
    Executor completionExecutor() {
        return parts.completionExecutor;
    }

    Transport engine() {
        return transport;
    }

    /** Sessions with the daemon; null if the engine is none. */
    @Nullable
    Session session() {
        return parts.session;
    }

    Copying copying() {
        return copying;
    }

    /**
     * Connects to the instance {@value #DEFAULT_NAME}, wherever it is: in {@code $SENDFILED_SOCKET_DIR} if that is set,
     * else in the first of {@code $XDG_RUNTIME_DIR}, {@code /run/sendfiled/NAME}, {@code /run/sendfiled} and {@code
     * /tmp/sendfiled-UID} where a daemon of that name listens and nobody but root and this user could have planted it;
     * the manual page sendfiled(7) has the rule.
     *
     * @throws DaemonUnavailableException if no daemon is found; the message says of each place why
     */
    public static SendfiledClient connect() throws IOException {
        return builder().connect();
    }

    /**
     * Connects to the named instance, wherever it is; as {@link #connect()}.
     *
     * @throws DaemonUnavailableException if no daemon is found
     */
    public static SendfiledClient connect(String name) throws IOException {
        return builder().name(name).connect();
    }

    /**
     * Connects to the named instance in a directory.
     *
     * @throws DaemonUnavailableException if no daemon listens there
     */
    public static SendfiledClient connect(Path socketDirectory, String name) throws IOException {
        return builder().socketDirectory(socketDirectory).name(name).connect();
    }

    /**
     * For a client with an engine of its own, inside this process: no daemon, no socket, no pipe.
     *
     * @see io.sendfiled.Sendfiled#embedded(io.sendfiled.config.SendfiledConfig)
     */
    public static EmbeddedBuilder embedded() {
        return new EmbeddedBuilder();
    }

    /** With what {@link EmbeddedBuilder} has started; owns it. */
    static SendfiledClient of(
            Transport transport,
            Copying copying,
            @Nullable Executor completionExecutor,
            @Nullable HotPath hot,
            @Nullable Session session) {
        return new SendfiledClient(new ClientParts(transport, copying, completionExecutor, hot, session));
    }

    /** The name of the next client's threads. */
    static String nextThreadName() {
        return "sendfiled-client-" + CLIENTS.incrementAndGet();
    }

    /** For a connection with other settings. */
    public static Builder builder() {
        return new Builder();
    }

    // ---- reading ----

    /** Reads a whole file; see {@link #read(FileRequest)}. */
    public ReadTransfer read(String path) {
        return read(FileRequest.of(path));
    }

    /**
     * Reads a file through a pipe, whose read end becomes {@link ReadTransfer#content()}. With {@linkplain TransferOptions
     * options} a second pipe says why a read has failed; without them, it only ends too early ({@code ECONNABORTED}).
     */
    public ReadTransfer read(FileRequest request) {
        checkPath(request, "read");
        ReadExchange exchange = new ReadExchange(request, this);
        ReadTransfer transfer = ReadExchange.of(exchange);
        start(Wire.READ_FILE, exchange, exchange.data());
        return transfer;
    }

    /** Reads a whole file into a channel; see {@link #readTo(FileRequest, WritableByteChannel)}. */
    public Transfer readTo(String path, WritableByteChannel target) {
        return readTo(FileRequest.of(path), target);
    }

    /**
     * Reads a file and writes it to any kind of channel, on a thread of {@link Builder#copyExecutor}. For a socket, a
     * pipe or a file, {@link #send(FileRequest, Destination)} does without that thread and without the copy.
     *
     * @param target the target, in blocking mode; the caller keeps it
     * @throws IllegalArgumentException if it is a channel in non-blocking mode
     */
    public Transfer readTo(FileRequest request, WritableByteChannel target) {
        if (target instanceof SelectableChannel channel && !channel.isBlocking()) {
            throw new IllegalArgumentException("the target is in non-blocking mode: use send, or read");
        }
        checkPath(request, "read");
        ReadToExchange exchange = new ReadToExchange(request, this, target);
        copying.track(exchange);
        start(Wire.READ_FILE, exchange, exchange.data());
        return exchange;
    }

    /** Reads a whole file into memory; see {@link #readBuffer(FileRequest)}. */
    public BufferTransfer readBuffer(String path) {
        return readBuffer(FileRequest.of(path));
    }

    /**
     * Reads a file into memory, without a pipe: the daemon fills a {@link SharedBuffer} and seals it, and this process maps
     * it. For a file of more than a few pages, or one that is to be handed on. The memory is charged to the daemon: the
     * transfer fails with {@code ENOBUFS} before anything is filled when the daemon has no room for it, and with {@code
     * EDQUOT} when it is more than one client may have filled at once. For larger files, send into a memory file whose
     * pages this process has allocated.
     *
     * @param request a file in the daemon's root
     */
    public BufferTransfer readBuffer(FileRequest request) {
        checkPath(request, "read");
        FileRequest sealing = request.with(request.options().withSeal(true));
        MemoryFile file = new MemoryFile(request);
        BufferExchange exchange = new BufferExchange(sealing, this, file);
        start(Wire.SEND_FILE, exchange, file);
        return exchange;
    }

    // ---- sending ----

    /** Sends a whole file to a socket; see {@link #send(FileRequest, Destination)}. */
    public Transfer send(String path, SocketChannel destination) {
        return send(FileRequest.of(path), Destination.of(destination));
    }

    /** Sends a file to a socket; see {@link #send(FileRequest, Destination)}. */
    public Transfer send(FileRequest request, SocketChannel destination) {
        return send(request, Destination.of(destination));
    }

    /** Sends a whole file; see {@link #send(FileRequest, Destination)}. */
    public Transfer send(String path, Destination destination) {
        return send(FileRequest.of(path), destination);
    }

    /**
     * Sends a file to a descriptor.
     *
     * <p>An {@linkplain #embedded() embedded} engine, and a daemon whose {@linkplain Builder#localRoot root is known}, is asked
     * only for what is not in memory: a range of a file without options, to a socket or a pipe, is sent in the calling thread as
     * far as that needs neither a disk nor a peer, at most 1 MiB; the engine goes on from there. So is a {@link Source}, if its
     * file is on the disk of a root.
     *
     * @param request a file in the daemon's root, or a {@link Source}
     * @param destination the destination; the caller keeps it, and does not use it until the result is there
     */
    public Transfer send(FileRequest request, Destination destination) {
        SendExchange exchange = new SendExchange(Operation.SEND, request, this);
        HotPath hot = parts.hot;
        if (hot == null || isClosed()) {
            start(Wire.SEND_FILE, exchange, destination);
        } else {
            startHot(exchange, destination, hot);
        }
        return exchange;
    }

    /** Loads a whole file into the page cache; see {@link #warm(FileRequest)}. */
    public Transfer warm(String path) {
        return warm(FileRequest.of(path));
    }

    /**
     * Loads a file, or the range or segments of it that are asked for, into the page cache, so that it can be sent without
     * waiting for its disk: {@linkplain #send(FileRequest, Destination) sent} to nowhere, by the engine. What is in the cache
     * already costs next to nothing. Its options hold as for a send: with a {@linkplain TransferOptions#withRate rate} it
     * leaves the disk to others.
     */
    public Transfer warm(FileRequest request) {
        return send(request, nowhere);
    }

    /** Sends the whole of a buffer, which is sealed first; see {@link #send(FileRequest, Destination)}. */
    public Transfer sendBuffer(SharedBuffer buffer, SocketChannel destination) {
        return send(FileRequest.of(buffer), Destination.of(destination));
    }

    /**
     * Sends bytes of an open file and waits for it, as {@link FileChannel#transferTo} does, in place of which it can be called:
     * {@code in.transferTo(position, count, out)} becomes {@code client.sendfile(out, in, position, count)}. What waits is
     * this thread, in Java: a virtual thread leaves its carrier to others, which {@code transferTo} does not.
     *
     * <p>The answers are those of sendfile(2). Fewer bytes than {@code count}: the file ends there, or something went wrong
     * behind them, which the next call then throws; 0: at the end of the file, or behind it. Unlike with {@code transferTo},
     * a channel in non-blocking mode that is full is waited for, and neither channel is closed by an interrupt: the
     * transfer is cancelled, the bytes that were sent until then are returned, and the thread stays interrupted.
     *
     * @param out a {@code SocketChannel}, {@code Pipe.SinkChannel} or {@code FileChannel}; the caller keeps it, and nothing
     *     else may write to it meanwhile
     * @param in the file, whose position is neither used nor moved
     * @param position the first byte, from 0
     * @param count the most bytes to send, from 0
     * @return the bytes sent, at most {@code count}
     * @throws TransferException if no byte could be sent, with the reason
     * @throws InterruptedIOException if this thread was interrupted before a byte was sent; it stays interrupted
     * @throws IllegalArgumentException if a number is negative, or {@code out} is a channel of another kind
     */
    public long sendfile(WritableByteChannel out, FileChannel in, long position, long count) throws IOException {
        return new SendfileCall(this, out, in).run(position, count);
    }

    /**
     * The same from the file's position on, which is moved behind the last byte that was sent.
     *
     * @throws TransferException as {@link #sendfile(WritableByteChannel, FileChannel, long, long)}; the position stays
     * @throws InterruptedIOException likewise
     */
    public long sendfile(WritableByteChannel out, FileChannel in, long count) throws IOException {
        long position = in.position();
        long sent = sendfile(out, in, position, count);
        in.position(position + sent);
        return sent;
    }

    /** Opens a whole file; see {@link #open(FileRequest)}. */
    public CompletableFuture<OpenFile> open(String path) {
        return open(FileRequest.of(path));
    }

    /**
     * Opens a file now, to send it later: for an answer whose headers need the file's size. It has {@linkplain FileInfo#details
     * details}; a daemon must know the extended form of the protocol.
     *
     * <p>What can be opened without waiting for a disk, as for {@link #send(FileRequest, Destination)}, is opened by this process, if
     * the request has no options. Then neither a limit of the engine's nor its open-file timeout counts, and {@link
     * OpenFile#send} too asks the engine only for what is not in memory.
     *
     * @return the opened file, or a {@link TransferException}; if the user completes the future, the file is closed
     */
    public CompletableFuture<OpenFile> open(FileRequest request) {
        checkPath(request, "opened");
        CompletableFuture<OpenFile> opened = new CompletableFuture<>();
        OpenExchange exchange = new OpenExchange(request, this, opened);
        HotPath hot = parts.hot;
        if (hot == null || isClosed() || !hot.open(exchange)) {
            start(Wire.OPEN_FILE, exchange, null);
        }
        return opened;
    }

    // ---- what is registered ----

    /** Registers a socket; see {@link #register(Destination)}. */
    public RegisteredDestination register(SocketChannel destination) throws IOException {
        return register(Destination.of(destination));
    }

    /**
     * Registers a destination that is sent to more than once, for {@link #submit}. Does not wait for the daemon: what is
     * submitted before the daemon has it waits for that, or goes by datagrams, and so does all that is sent to a destination
     * that the daemon does not register ({@code EDQUOT}: more than one client may have).
     *
     * @param destination the destination; a duplicate is made, and the caller keeps the original
     * @return closed by the caller
     * @throws IOException if the destination is closed, or no descriptor is free
     */
    public RegisteredDestination register(Destination destination) throws IOException {
        if (transport instanceof JavaTransport) {
            return new RegisteredDestination(destination, null, null, null);
        }
        OwnedFd own = Objects.requireNonNull(destination.duplicate());
        SessionHandle handle = registered(SessionNative.DESTINATION, own);
        return new RegisteredDestination(destination, own, parts.session, handle);
    }

    /**
     * Registers a buffer that files are read into, for {@link #submit}; as {@link #register(Destination)}. One whose pages are
     * {@linkplain io.sendfiled.buffer.BufferOptions#prefault allocated} is filled fastest.
     *
     * @param buffer the buffer, not sealed; the caller keeps it
     * @return closed by the caller
     * @throws IOException if the buffer is closed, or no descriptor is free
     */
    public RegisteredBuffer register(SharedBuffer buffer) throws IOException {
        SessionHandle handle = parts.session == null ? null : registered(SessionNative.BUFFER, buffer.duplicate());
        return new RegisteredBuffer(buffer, parts.session, handle);
    }

    private @Nullable SessionHandle registered(int kind, OwnedFd descriptor) {
        Session session = parts.session;
        if (session == null) {
            return null;
        }
        SessionHandle handle = SessionHandle.of(session, kind, descriptor);
        session.register(handle);
        return handle;
    }

    /** Registers a file; see {@link #registerFile(FileRequest)}. */
    public CompletableFuture<RegisteredFile> registerFile(String path) {
        return registerFile(FileRequest.of(path));
    }

    /**
     * Opens a file once that is asked for more than once. Over a session the daemon keeps it open until it is closed, and
     * counts it among the descriptors that this client may have.
     *
     * @param request a file in the daemon's root; its range, options and header are those of requests that say nothing else
     * @return the file, which the receiver closes, or a {@link TransferException}; if the user completes the future, it is closed
     */
    public CompletableFuture<RegisteredFile> registerFile(FileRequest request) {
        checkPath(request, "registered");
        FileRegistration registration = new FileRegistration(this, request);
        registration.submit();
        return registration;
    }

    /**
     * Submits a request between what is registered. Never blocks or throws because of the daemon, the disk or the destination.
     *
     * <p>Over a {@linkplain TransportKind#SESSION session} it costs no system call, unless the daemon sleeps, and its answer
     * none, unless the client's thread does. What a session cannot say, or does not take, goes by datagrams. Some 100
     * bytes are allocated for it: the future, the number in it, and what a lock needs that is waited for. Requests of one
     * destination run in any order and beside each other: their bytes can be mixed, so wait for one before the next is submitted.
     *
     * <p>The future completes where {@link Transfer#result} would: by the executor of the request or the client, one task for all
     * that are complete at the same time, or by a thread of the client's, where what actions submit is submitted together when
     * they have returned.
     *
     * @return the bytes that were moved, with those of a header, and 0 for a warm; or a {@link TransferException} with those that
     *     were. If the user completes it ({@code cancel}, {@code orTimeout}), the daemon is asked to end the request, and may
     *     still write for a moment: the destination can be closed, but not be used; see {@link #withdraw}
     */
    public CompletableFuture<Long> submit(RegisteredRequest request) {
        Delivery delivery = new Delivery(this, request);
        delivery.submit();
        return delivery;
    }

    /**
     * Submits requests in order, together: the daemon is woken once at the most. As {@link #submit} of each; a failure is that of
     * one request.
     *
     * @return their futures, in order; unmodifiable
     */
    public List<CompletableFuture<Long>> submitAll(List<RegisteredRequest> requests) {
        Delivery[] deliveries = new Delivery[requests.size()];
        for (int i = 0; i < deliveries.length; i++) {
            deliveries[i] = new Delivery(this, requests.get(i));
        }
        Delivery.submitAll(parts.session, deliveries);
        return Collections.unmodifiableList(Arrays.asList(deliveries));
    }

    /**
     * Asks the daemon to end a request that was submitted. Never blocks. The future fails with {@code ECANCELED} when nothing
     * is written for the request any more, and {@link TransferException#bytesMoved} tells what was until then; unless the
     * request was complete, or had failed, before the daemon knew. So a server whose time is over knows whether it can still
     * send something else: over a session the bytes are all that were written, by datagrams those that the daemon had reported.
     *
     * @param submitted what {@link #submit} or {@link #submitAll} has returned
     * @throws IllegalArgumentException if it is anything else
     */
    public void withdraw(CompletableFuture<Long> submitted) {
        if (!(submitted instanceof Delivery delivery) || delivery.client != this) {
            throw new IllegalArgumentException("not a request that this client has submitted: " + submitted);
        }
        delivery.withdraw();
    }

    private static void checkPath(FileRequest request, String what) {
        if (request.source() != null) {
            throw new IllegalArgumentException(request.path() + " cannot be " + what + " by the daemon, only sent");
        }
    }

    /** Submits a request; whatever throws ends the exchange. */
    private void start(int command, Exchange exchange, @Nullable Destination destination) {
        if (transport instanceof JavaTransport java) {
            InJava.submit(java, command, exchange, destination);
            return;
        }
        Source source = exchange.request().source();
        OwnedFd to = null;
        OwnedFd from = null;
        try {
            to = destination == null ? null : Objects.requireNonNull(destination.duplicate());
            from = source == null ? null : Objects.requireNonNull(source.duplicate());
        } catch (Throwable t) { // the destination's or the source's, or there is no descriptor
            close(to);
            exchange.refuse(t);
            return;
        }
        try {
            transport.submit(exchange, command, exchange.request().toTransport(exchange.isExtended()), to, from);
        } catch (Throwable t) { // no memory
            close(to);
            close(from);
            exchange.fail(t);
        }
    }

    private void startHot(SendExchange exchange, Destination destination, HotPath hot) {
        Source source = exchange.request().source();
        OwnedFd to = null;
        OwnedFd from;
        try {
            to = Objects.requireNonNull(destination.duplicate());
            from = source == null ? null : Objects.requireNonNull(source.duplicate());
        } catch (Throwable t) { // the destination's or the source's, or there is no descriptor
            close(to);
            exchange.refuse(t);
            return;
        }
        try {
            hot.send(exchange, to, from, transport);
        } catch (IOException e) { // no descriptor is free: nothing was sent
            close(to);
            close(from);
            exchange.refuse(e);
        } catch (Throwable t) { // no memory
            close(to);
            close(from);
            exchange.fail(t);
        }
    }

    static void close(@Nullable OwnedFd duplicate) {
        try {
            if (duplicate != null) {
                duplicate.close();
            }
        } catch (IOException e) { // of an earlier write by its owner
            Log.warning("closing what was opened for a request", e);
        }
    }

    /**
     * Cancels all running transfers, except reads whose content was handed over, and frees everything; an embedded engine, too,
     * which goes on in the background for as long as a disk holds it. Idempotent; waits for about a second at most.
     */
    @Override
    public void close() {
        parts.close();
    }

    @Override
    public String toString() {
        return "SendfiledClient[" + transport.where() + (parts.isClosed() ? ", closed]" : "]");
    }

    /** The settings of a connection. Not thread-safe. */
    public static final class Builder {
        private static final int DEFAULT_MAX_QUEUED = 1_024;

        private String name = DEFAULT_NAME;
        private @Nullable Path socketDirectory;
        private @Nullable Executor copyExecutor;
        private @Nullable Executor completionExecutor;
        private @Nullable Path localRoot;
        private int maxQueuedRequests = DEFAULT_MAX_QUEUED;

        private Builder() {}

        /** The instance's name; {@value SendfiledClient#DEFAULT_NAME} by default. */
        public Builder name(String value) {
            name = value;
            return this;
        }

        /** The directory of the instance's socket; by default it is looked for, {@link SendfiledClient#connect()}. */
        public Builder socketDirectory(Path value) {
            socketDirectory = value;
            return this;
        }

        /**
         * The executor on which {@link SendfiledClient#readTo} copies: one task a transfer, which blocks. The caller
         * keeps it. By default the client has threads of its own, as many as there are copies at once.
         */
        public Builder copyExecutor(Executor value) {
            copyExecutor = value;
            return this;
        }

        /**
         * The daemon's root, if this process can read what is in it: then {@link SendfiledClient#send(FileRequest, Destination)
         * send} asks the daemon only for what is not in memory, which needs one that knows {@linkplain TransferOptions options}.
         * This process needs the right to open the files itself; those that it may not open are the daemon's.
         */
        public Builder localRoot(Path value) {
            localRoot = value;
            return this;
        }

        /**
         * Where transfers are completed whose request does not say so: {@link FileRequest#completingOn}. The caller keeps it. By
         * default the client has a thread of its own for that.
         */
        public Builder completionExecutor(Executor value) {
            completionExecutor = value;
            return this;
        }

        /**
         * How many requests may wait in this client while the daemon's queue is full, from 1; 1,024 by default. Those
         * above it are refused with {@code EAGAIN}. Each waits with two to four descriptors. As many {@linkplain
         * SendfiledClient#submit registered} requests may wait, without any, beside {@value Session#DEPTH} that the daemon has.
         *
         * @throws IllegalArgumentException if it is below 1
         */
        public Builder maxQueuedRequests(int value) {
            if (value < 1) {
                throw new IllegalArgumentException("maxQueuedRequests " + value + " is below 1");
            }
            maxQueuedRequests = value;
            return this;
        }

        /**
         * Connects. Does not wait for the daemon.
         *
         * @throws DaemonUnavailableException if no daemon listens there
         * @throws IOException if no descriptor is free, or no thread can be started
         */
        public SendfiledClient connect() throws IOException {
            OwnedFd socket = OwnedFd.take(Errno.check(ClientNative.openSocket(), "open a socket"));
            Transport transport = null;
            HotPath hot = null;
            try {
                hot = localRoot == null ? null : new HotPath(localRoot, Map.of());
                byte[] path = socketDirectory == null
                        ? DaemonSocket.search(name, socket)
                        : DaemonSocket.connectIn(socketDirectory, name, socket);
                String where = Names.printable(Names.text(path));
                String thread = nextThreadName();
                transport = DaemonTransport.start(socket, path, where, thread, maxQueuedRequests);
                Session session =
                        new Session(directoryOf(path), Names.bytes(name), thread + "-session", maxQueuedRequests);
                return of(transport, new Copying(copyExecutor, thread), completionExecutor, hot, session);
            } catch (OutOfMemoryError e) { // no thread, or no memory for one
                release(socket, transport, hot);
                NativeIoException failure = new NativeIoException("start a client's thread", Errno.EAGAIN);
                failure.initCause(e);
                throw failure;
            } catch (Throwable t) {
                release(socket, transport, hot);
                throw t;
            }
        }

        /** Where a daemon's socket is found: so is that of its sessions. */
        private static byte[] directoryOf(byte[] socket) {
            int end = socket.length - 1;
            while (end > 0 && socket[end] != '/') {
                end--;
            }
            return Arrays.copyOf(socket, end);
        }

        /** Closes what a client would have owned that did not start. */
        private static void release(OwnedFd socket, @Nullable Transport transport, @Nullable HotPath hot)
                throws IOException {
            if (hot != null) {
                hot.close();
            }
            if (transport != null) {
                transport.close();
            }
            socket.close();
        }
    }
}
