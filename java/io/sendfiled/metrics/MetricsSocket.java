package io.sendfiled.metrics;

import io.sendfiled.control.NamedSocket;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.units.LocalAddress;
import java.io.Closeable;
import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Where {@link MetricsServer} listens: a name in a directory, with mode 0660, or a port of the loopback interface.
 *
 * <p>In a take-over two processes have the address for a moment. A socket with a name is made beside the one of the process
 * that serves, and gets its name in the end. A port has both (SO_REUSEPORT, which wants one user for both), so a start that
 * is no take-over looks first whether it is free.
 *
 * <p>Opened before the sandbox, which lets nobody make such a socket; closed by any thread.
 */
public final class MetricsSocket implements Closeable {
    private static final String MODE = "rw-rw----";
    /** Who finds no room in the queue of a port tries again after a second, which a flood of others must not cause. */
    private static final int BACKLOG = 128;

    private final ServerSocketChannel channel;
    private final @Nullable NamedSocket named; // null: a port
    private final @Nullable Path known; // null: it has its name already

    private MetricsSocket(ServerSocketChannel channel, @Nullable NamedSocket named, @Nullable Path known) {
        this.channel = channel;
        this.named = named;
        this.known = known;
    }

    /**
     * Makes it.
     *
     * @param takesOver whether a process that serves has the address, and will leave it
     * @throws NativeIoException with EADDRINUSE if somebody listens there, or as {@link NamedSocket#open} says
     * @throws IOException if it cannot be made for another reason
     */
    public static MetricsSocket open(LocalAddress address, boolean takesOver) throws IOException {
        if (address.isPath()) {
            return openNamed(path(address), takesOver);
        }
        InetSocketAddress at = new InetSocketAddress(InetAddress.getByName(address.host()), address.port());
        ProtocolFamily family =
                address.host().contains(":") ? StandardProtocolFamily.INET6 : StandardProtocolFamily.INET;
        if (!takesOver) {
            demandFree(family, at);
        }
        ServerSocketChannel channel = ServerSocketChannel.open(family);
        boolean ready = false;
        try {
            channel.setOption(StandardSocketOptions.SO_REUSEPORT, true);
            bind(() -> channel.bind(at, BACKLOG));
            channel.configureBlocking(false);
            ready = true;
            return new MetricsSocket(channel, null, null);
        } finally {
            if (!ready) {
                channel.close();
            }
        }
    }

    /** The path of an address that has one. */
    public static Path path(LocalAddress address) {
        return Names.absolute(Names.path(address.path()));
    }

    private static MetricsSocket openNamed(Path path, boolean takesOver) throws IOException {
        Path known = takesOver && NamedSocket.isSocket(path) ? path : null;
        Path at = known == null ? path : Names.resolve(path.resolveSibling(""), "." + name(path));
        if (NamedSocket.isSocket(at) && isServed(at)) {
            throw inUse();
        }
        NamedSocket socket = NamedSocket.open(at, MODE, "a shorter one");
        return new MetricsSocket(socket.channel(), socket, known);
    }

    private static String name(Path path) {
        return Names.text(Names.bytes(path.getFileName()));
    }

    private static boolean isServed(Path path) throws IOException {
        try (SocketChannel peer = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            peer.configureBlocking(false); // a full queue is a sign of life as well
            peer.connect(UnixDomainSocketAddress.of(path));
            return true;
        } catch (ConnectException e) {
            return false;
        } catch (IOException e) {
            return Errno.of(e) != Errno.ECONNREFUSED;
        }
    }

    /** A port that somebody listens at is free for nobody who does not share it; no other socket keeps from it. */
    private static void demandFree(ProtocolFamily family, InetSocketAddress at) throws IOException {
        try (SocketChannel probe = SocketChannel.open(family)) {
            probe.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            bind(() -> probe.bind(at));
        }
    }

    @FunctionalInterface
    private interface Bind {
        Object run() throws IOException;
    }

    private static void bind(Bind bind) throws IOException {
        try {
            Object unused = bind.run();
        } catch (BindException e) {
            if (Errno.of(e) == Errno.EADDRINUSE) {
                throw inUse();
            }
            throw e;
        }
    }

    private static NativeIoException inUse() {
        return new NativeIoException("somebody serves there", Errno.EADDRINUSE);
    }

    ServerSocketChannel channel() {
        return channel;
    }

    /** From here on all who connect by the address come here, if it is a name; a port is shared until the other one leaves it. */
    public void takeName() throws IOException {
        if (named != null && known != null) {
            named.takeName(known);
        }
    }

    /** Removes the name, if there is one and it is still this socket's, and closes. Idempotent. */
    @Override
    public void close() throws IOException {
        if (named != null) {
            named.close();
        } else {
            channel.close();
        }
    }
}
