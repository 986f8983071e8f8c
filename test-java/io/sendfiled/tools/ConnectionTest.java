package io.sendfiled.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.OpenDescriptors;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class ConnectionTest {
    @Test
    void shouldTryAllAddressesOfAHostAndGiveANonBlockingSocket() throws Exception {
        InetAddress[] all = InetAddress.getAllByName("localhost");
        for (InetAddress address : all) { // one of them has a listener, also the last
            try (ServerSocketChannel listener = ServerSocketChannel.open().bind(new InetSocketAddress(address, 0));
                    SocketChannel socket = Connection.to(
                            Target.ofTo("tcp:localhost:" + ((InetSocketAddress) listener.getLocalAddress()).getPort()),
                            Deadline.after(null))) {
                assertFalse(socket.isBlocking());
                assertEquals(address, ((InetSocketAddress) socket.getRemoteAddress()).getAddress());
            }
        }
        assumeTrue(all.length > 1, () -> "localhost has one address here: " + Arrays.toString(all));
    }

    @Test
    void shouldGiveUpOnAFullBacklog(@TempDir Path directory) throws Exception {
        Path path = directory.resolve("full");
        int before = OpenDescriptors.count();
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                        .bind(UnixDomainSocketAddress.of(path), 1);
                SocketChannel first = SocketChannel.open(UnixDomainSocketAddress.of(path));
                SocketChannel second = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            SfdException e = assertThrows(
                    SfdException.class,
                    () -> Connection.to(Target.ofTo("unix:" + path), Deadline.after(Duration.ofMillis(100))));
            assertEquals("unix:" + path + ": timed out (ETIMEDOUT)", e.getMessage());
            assertEquals(ExitCode.TIMEOUT, e.exitCode());
            assertTrue(listener.isOpen() && first.isConnected() && second.isConnected());
        }
        OpenDescriptors.awaitCount(before); // the late connection was refused, or closed
    }

    @Test
    void shouldSayWhichHostIsUnknown() throws IOException {
        SfdException e = assertThrows(
                SfdException.class,
                () -> Connection.to(Target.ofTo("tcp:no such host:80"), Deadline.after(Duration.ofSeconds(20))));
        assertEquals("tcp:no such host:80: unknown host", e.getMessage());
    }
}
