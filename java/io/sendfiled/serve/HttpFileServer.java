package io.sendfiled.serve;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.util.concurrent.FastThreadLocal;
import io.netty.util.concurrent.ImmediateEventExecutor;
import io.netty.util.internal.logging.InternalLoggerFactory;
import io.netty.util.internal.logging.JdkLoggerFactory;
import io.sendfiled.Sendfiled;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.hot.HotCache;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.names.Names;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A static HTTP/1.1 server of one directory, with its own engine and event loops.
 *
 * <p>All methods may be called by any thread. Owns its threads, its sockets and its descriptors until it is closed.
 */
public final class HttpFileServer implements AutoCloseable {
    private static final int DISK_THREADS = 2;
    private static final int DISK_QUEUE = 64;
    private static final int BACKLOG = 1024;

    /** As many requests as are in so many bytes have to be held at once, whatever the answer to the first does. */
    private static final int MOST_READ = 16 * 1024;

    /** So much of the heap is for what clients have the server hold, and so much of that for who asks for one thing at a time. */
    private static final int CLIENTS_PART = 4;

    private static final int RESERVED_PART = 4;

    /** Connections above their limit that are told so at a time; the others are closed without a word. */
    private static final int MOST_REFUSALS = 1024;

    private static final int MEBI = 1024 * 1024;

    /** Of the files that an event loop has sent lately: half a kilobyte each. */
    private static final int MOST_HEADS = 1024;

    private final Deque<AutoCloseable> owned = new ArrayDeque<>(); // in the order of closing
    private final AtomicBoolean isDraining = new AtomicBoolean();
    private final ChannelGroup connections = new DefaultChannelGroup(ImmediateEventExecutor.INSTANCE, true);
    private final boolean isTls;
    private @Nullable AnswerLog log;
    private @Nullable Channel listening;
    private String url = "";
    private boolean isLocal;

    private HttpFileServer(ServeOptions options) {
        isTls = options.certificate() != null;
    }

    /**
     * Starts it: clients can connect when this returns. Blocks.
     *
     * @throws ServeException naming what is wrong: the directory, the address, the certificate, the log
     * @throws IOException if the engine cannot be started otherwise
     */
    public static HttpFileServer start(ServeOptions options) throws IOException {
        InternalLoggerFactory.setDefaultFactory(JdkLoggerFactory.INSTANCE); // Netty would look for others
        HttpFileServer server = new HttpFileServer(options);
        boolean ready = false;
        try {
            server.open(options);
            ready = true;
            return server;
        } finally {
            if (!ready) {
                server.close();
            }
        }
    }

    private void open(ServeOptions options) throws IOException {
        Path certificate = options.certificate();
        Path key = options.key();
        SslContext tls = certificate == null || key == null ? null : Tls.context(certificate, key);
        InetSocketAddress address = resolve(options);
        Path root = options.root();
        HotRoot hot;
        SendfiledClient client;
        Directories directories;
        try {
            hot = own(hotRoot(options));
            if (!Files.isExecutable(root)) {
                throw new AccessDeniedException(root.toString()); // it can be opened, and no file in it
            }
            client = own(Sendfiled.embedded().config(engine(root)).hot(false).start());
            directories = options.list() ? own(Directories.open(root)) : null;
        } catch (IOException e) {
            throw ofRoot(root, e);
        }
        log = openLog(options.accessLog());
        ThreadPoolExecutor disk = new ThreadPoolExecutor(
                DISK_THREADS, DISK_THREADS, 1, TimeUnit.SECONDS, new ArrayBlockingQueue<>(DISK_QUEUE), task -> {
                    Thread thread = new Thread(task, "sfd-serve-disk");
                    thread.setDaemon(true);
                    return thread;
                });
        disk.allowCoreThreadTimeOut(true);
        own(disk::shutdown);
        Site site = new Site(
                SendfiledFiles.of(client, hot),
                heads(options),
                options.openFiles() == 0 ? 0 : options.openFilesAge().toNanos(),
                new RootWatch(root, disk),
                directories,
                disk,
                log,
                options.limits(),
                connections(options.limits().connections()),
                new Budget(
                        MOST_REFUSALS,
                        0,
                        "connections are closed without an answer: " + MOST_REFUSALS
                                + " above --max-connections wait for theirs already"),
                memory(Runtime.getRuntime().maxMemory()),
                isDraining);
        listening = listen(address, site, tls, options.loops());
        InetSocketAddress bound = (InetSocketAddress) listening.localAddress();
        isLocal = bound.getAddress().isLoopbackAddress();
        String host = options.host().indexOf(':') < 0 ? options.host() : "[" + options.host() + "]";
        url = (isTls ? "https://" : "http://") + host + ":" + bound.getPort() + "/";
    }

    /** With a cache that looks: an entity tag must be that of the bytes that are sent with it. */
    private static HotRoot hotRoot(ServeOptions options) throws IOException {
        return options.openFiles() == 0
                ? HotRoot.open(options.root())
                : HotRoot.open(options.root(), new HotCache(options.openFiles(), options.openFilesAge(), true));
    }

    /** Connections look after their clients themselves, by a limit that the engine's must not be below. */
    private static SendfiledConfig engine(Path root) {
        return SendfiledConfig.builder().root(root).idleTimeoutMs(0).build();
    }

    private static Budget connections(int most) {
        return new Budget(
                most,
                0,
                "all " + most + " connections are in use: those above get 503; --max-connections is the limit, and"
                        + " --request-timeout and --idle-timeout tell how long one may do nothing");
    }

    private static Budget memory(long heap) {
        long most = heap / CLIENTS_PART;
        return new Budget(
                most,
                most / RESERVED_PART,
                "requests and pages that clients let wait take all of the " + most / MEBI
                        + " MiB for them, a quarter of the" + " heap: what is above gets 503; SENDFILED_JAVA_OPTS=-Xmx"
                        + 2 * heap / MEBI + "m doubles that");
    }

    private static FastThreadLocal<FileHeads> heads(ServeOptions options) {
        MediaTypes types = new MediaTypes();
        return new FastThreadLocal<>() {
            @Override
            protected FileHeads initialValue() {
                return new FileHeads(MOST_HEADS, types, options.cacheControl());
            }
        };
    }

    private <T extends AutoCloseable> T own(T resource) {
        owned.addFirst(resource);
        return resource;
    }

    private static InetSocketAddress resolve(ServeOptions options) throws ServeException {
        InetSocketAddress address = new InetSocketAddress(options.host(), options.port());
        if (address.isUnresolved()) {
            throw new ServeException(
                    Names.printable(options.host()) + ": unknown host; --host takes an address of this machine",
                    0,
                    null);
        }
        return address;
    }

    private static IOException ofRoot(Path root, IOException cause) {
        int errno = Errno.of(cause);
        String way =
                switch (errno) {
                    case Errno.ENOENT -> "; give a directory that is there";
                    case Errno.ENOTDIR -> "; give the directory that it is in";
                    case Errno.EACCES -> "; this user may not read it";
                    default -> "";
                };
        return errno == 0
                ? cause
                : new ServeException(Names.printable(root) + ": " + Errno.describe(errno) + way, errno, cause);
    }

    private @Nullable AnswerLog openLog(@Nullable Path path) throws ServeException {
        if (path == null) {
            return null;
        }
        try {
            return own(AnswerLog.open(path));
        } catch (IOException e) {
            int errno = Errno.of(e);
            String reason = errno == 0 ? String.valueOf(e.getMessage()) : Errno.describe(errno);
            throw new ServeException(
                    Names.printable(path) + ": " + reason + "; --access-log takes a file that this user may write to",
                    errno,
                    e);
        }
    }

    private Channel listen(InetSocketAddress address, Site site, @Nullable SslContext tls, int count)
            throws IOException {
        EventLoopGroup loops = new NioEventLoopGroup(count);
        own(() -> loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly());
        var bound = new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(
                        ChannelOption.RCVBUF_ALLOCATOR, new AdaptiveRecvByteBufAllocator(64, MOST_READ / 8, MOST_READ))
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, tls == null) // TLS has an end of its own
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        ChannelPipeline pipeline = channel.pipeline();
                        if (tls != null) {
                            pipeline.addLast(tls.newHandler(channel.alloc()));
                        }
                        RequestDecoder decoder = new RequestDecoder();
                        pipeline.addLast(new SendfiledHandler(), decoder, new Connection(site, decoder));
                        connections.add(channel);
                    }
                })
                .bind(address)
                .awaitUninterruptibly();
        if (bound.isSuccess()) {
            return bound.channel();
        }
        throw ofAddress(address, bound.cause());
    }

    private static ServeException ofAddress(InetSocketAddress address, Throwable cause) {
        int errno = cause instanceof IOException e ? Errno.of(e) : 0;
        InetAddress host = address.getAddress();
        String where = "port " + address.getPort() + " of " + (host == null ? "?" : host.getHostAddress());
        String why =
                switch (errno) {
                    case Errno.EADDRINUSE -> " is in use; take another one by --port, or any free one by --port 0";
                    case Errno.EACCES -> " is not for this user; take one from 1024 on by --port";
                    case Errno.EADDRNOTAVAIL -> ": no address of this machine; --host takes one that is";
                    default -> ": " + cause.getMessage();
                };
        return new ServeException(where + why, errno, cause);
    }

    /** Where it serves, for a client on this machine. */
    public String url() {
        return url;
    }

    /** Whether only programs of this machine can reach it. */
    public boolean isLocal() {
        return isLocal;
    }

    /** Opens the access log anew, after it was renamed. Does not block. */
    public void reopenLog() {
        if (log != null) {
            log.reopen();
        }
    }

    /**
     * Takes no more connections, closes those that are idle, and lets the others end with the answers that are under way. Does
     * not wait for that.
     *
     * @param drained is run when the last connection has ended
     */
    @SuppressWarnings("FutureReturnValueIgnored")
    public void drain(Runnable drained) {
        isDraining.set(true);
        if (listening != null) {
            listening.close().awaitUninterruptibly();
        }
        for (Channel channel : connections) {
            Connection connection = channel.pipeline().get(Connection.class);
            if (connection != null) {
                channel.eventLoop().execute(connection::closeIfDone);
            }
        }
        connections.newCloseFuture().addListener(closed -> drained.run());
    }

    /** Ends all connections and frees everything. Blocks for a moment; idempotent. */
    @Override
    public void close() {
        isDraining.set(true);
        if (listening != null) {
            listening.close().awaitUninterruptibly();
        }
        connections.close().awaitUninterruptibly();
        while (!owned.isEmpty()) {
            try {
                owned.removeFirst().close();
            } catch (Exception e) {
                throw new IllegalStateException("cannot close a part of the server", e);
            }
        }
    }
}
