package io.sendfiled.system.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.RawClient;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/** R4: what cannot be closed because its disk is dead keeps nothing else open, and no loop. */
@ParameterizedClass
@EachKind
@Timeout(60)
final class PendingCloseIT {
    private static final int DEAD = 40;

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    @Test
    void shouldCloseWhatOthersHaveLeftBesideTheDescriptorsOfADeadDisk() throws Exception { // R4
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectory(directory.resolve("behind"));
        Content.write(behind.resolve("held"), 100);
        try (TestDaemon daemon = TestDaemon.start(
                        kind,
                        directory,
                        TestDaemon.Options.STANDARD.withLoops(1).with("disk-threads", 2));
                HeldDisk disk = HeldDisk.mount(directory.resolve("disk"), behind, "held", "--hold-calls", "flush")) {
            Content small = Content.write(daemon.root().resolve("small"), 100);
            daemon.rememberDescriptors();
            List<FileChannel> files = new ArrayList<>();
            try (RawClient client = daemon.rawClient()) {
                for (int i = 0; i < DEAD; i++) {
                    FileChannel file = FileChannel.open(directory.resolve("disk/held"), StandardOpenOption.READ);
                    files.add(file);
                    int fd = Descriptors.numberOf(file);
                    client.send(new byte[] {1}, fd, fd, fd); // malformed, and its descriptors are nobody's
                }
                disk.awaitHeld(); // one of them is being closed

                for (int i = 0; i < 3; i++) {
                    expectClosed(client);
                }
                try (RawClient.Status status = client.request(2, "small")) {
                    assertEquals(small.size(), status.info().size());
                    assertEquals(small.size(), status.rest().length);
                }
                disk.release();
                for (FileChannel file : files) {
                    file.close();
                }
            }
            daemon.expectNoLeak();
        }
    }

    /** A socket with something unread, whose close may block as far as anybody knows: its peer sees the end. */
    private void expectClosed(RawClient client) throws IOException {
        Path name = directory.resolve("listener");
        Files.deleteIfExists(name);
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(UnixDomainSocketAddress.of(name));
            try (SocketChannel peer = SocketChannel.open(UnixDomainSocketAddress.of(name))) {
                try (SocketChannel passed = listener.accept();
                        OwnedFd copy = Descriptors.duplicate(passed)) {
                    peer.write(ByteBuffer.wrap(new byte[10]));
                    client.send(new byte[] {1}, copy.fd(), -1, -1);
                }
                int n;
                try {
                    n = peer.read(ByteBuffer.allocate(1)); // waits for the daemon's close
                } catch (IOException e) {
                    n = -1; // ECONNRESET, for what it has not read
                }
                assertEquals(-1, n);
            }
        }
    }
}
