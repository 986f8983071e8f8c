package io.sendfiled.tools;

import io.sendfiled.names.Names;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/** Connects to where a file is to be sent. The socket is non-blocking afterwards, so that sendfile(2) fits it. */
final class Connection {
    private Connection() {}

    /** Blocks no longer than the deadline. The caller closes the socket. */
    static SocketChannel to(Target target, Deadline deadline) throws SfdException, InterruptedException {
        try {
            return target.kind() == Target.Kind.UNIX
                    ? connect(UnixDomainSocketAddress.of(Names.path(target.text())), deadline)
                    : toHost(target, deadline);
        } catch (UnknownHostException e) {
            throw SfdException.of(target.name(), new IOException("unknown host"));
        } catch (IllegalArgumentException e) {
            throw SfdException.of(target.name(), new IOException("not the name of a socket: " + e.getMessage()));
        } catch (IOException e) {
            throw SfdException.of(target.name(), e);
        }
    }

    /** Tries all addresses of a name: {@code localhost} may have a listener at one of two only. */
    private static SocketChannel toHost(Target target, Deadline deadline) throws IOException, InterruptedException {
        InetAddress[] addresses = lookUp(target.text(), deadline);
        @Nullable IOException first = null;
        for (int i = 0; i < addresses.length; i++) {
            try {
                return connect(
                        new InetSocketAddress(addresses[i], target.port()), deadline.shared(addresses.length - i));
            } catch (IOException e) {
                first = first == null ? e : first;
            }
        }
        throw first == null ? new UnknownHostException(target.text()) : first;
    }

    private static InetAddress[] lookUp(String host, Deadline deadline) throws IOException, InterruptedException {
        InetAddress[][] found = {{}};
        deadline.open(() -> {
            found[0] = InetAddress.getAllByName(host); // a resolver may be slow
            return () -> {};
        });
        return found[0];
    }

    private static SocketChannel connect(SocketAddress address, Deadline deadline)
            throws IOException, InterruptedException {
        SocketChannel socket = deadline.open(() -> SocketChannel.open(address)); // a full backlog waits
        boolean ready = false;
        try {
            socket.configureBlocking(false);
            ready = true;
            return socket;
        } finally {
            if (!ready) {
                socket.close();
            }
        }
    }
}
