package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.TestDestination;
import io.sendfiled.support.Way;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.system.Connected;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.Sending;
import io.sendfiled.system.Sending.Operation;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.Channel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What takes no file, whatever the technique: by each operation the client learns why, and the daemon goes on. */
@ParameterizedClass
@EachKind
@Timeout(60)
final class UnfitDestinationIT {
    private static final int SIZE = 100_000;

    /** What is tried. */
    enum Unfit {
        DATAGRAM_SOCKET("EOPNOTSUPP"),
        RANDOM_DEVICE("EOPNOTSUPP"),
        MASTER_OF_TERMINALS("EOPNOTSUPP"),
        READ_END_OF_A_PIPE("EBADF"),
        FILE_FOR_READING("EBADF"),
        NULL_DEVICE_FOR_READING("EBADF"),
        SEALED_MEMORY_FILE("EPERM"),
        FULL_DEVICE("ENOSPC");

        private final String errno;

        Unfit(String errno) {
            this.errno = errno;
        }

        /** The descriptor's own error, which shows once it is written to. */
        boolean isFoundOutLater() {
            return this == FULL_DEVICE;
        }
    }

    @TempDir
    @SuppressWarnings("UnusedVariable") // the daemon's
    private static Path directory;

    @Daemon
    private static TestDaemon daemon;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        Files.write(daemon.root().resolve("file"), new byte[SIZE]);
    }

    @ParameterizedTest
    @EnumSource(Unfit.class)
    void shouldRefuseWhatTakesNoFile(Unfit unfit) throws Exception {
        assumeTrue(unfit != Unfit.FULL_DEVICE || Files.isWritable(Path.of("/dev/full")), "/dev/full is not here");
        for (Operation operation : Operation.values()) {
            for (Way way : new Way[] {Way.AUTO, Way.READ_WRITE, Way.MMAP}) {
                String cell = operation + " to " + unfit + " by " + way;
                try (OwnedFd destination = open(unfit);
                        Sending sending = Sending.start(
                                daemon,
                                client,
                                operation,
                                ExtendedRequest.send("file").by(way.number()),
                                destination.fd())) {
                    Outcome outcome = sending.await();

                    assertEquals(unfit.errno, outcome.errnoName(), cell + ": " + outcome);
                    assertEquals(0, outcome.moved(), cell + ": " + outcome);
                    assertEquals(0, outcome.fits(), cell + ": " + outcome);
                    assertTrue(
                            outcome.refused() || unfit.isFoundOutLater() || operation == Operation.OPEN_AND_SEND_FILE,
                            cell + ": " + outcome);
                }
            }
        }
    }

    private static OwnedFd open(Unfit unfit) throws IOException {
        switch (unfit) {
            case DATAGRAM_SOCKET -> {
                DatagramChannel channel = DatagramChannel.open();
                channel.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), 9));
                return take(channel);
            }
            case RANDOM_DEVICE -> {
                return device("/dev/urandom", StandardOpenOption.WRITE);
            }
            case MASTER_OF_TERMINALS -> {
                return device("/dev/ptmx", StandardOpenOption.WRITE);
            }
            case READ_END_OF_A_PIPE -> {
                Pipe pipe = Pipe.open();
                pipe.sink().close();
                return take(pipe.source());
            }
            case FILE_FOR_READING -> {
                return take(FileChannel.open(daemon.root().resolve("file"), StandardOpenOption.READ));
            }
            case NULL_DEVICE_FOR_READING -> {
                return device("/dev/null", StandardOpenOption.READ);
            }
            case SEALED_MEMORY_FILE -> {
                try (TestDestination sealed = TestDestination.sealedMemoryFile(10)) {
                    return sealed.destination().duplicate();
                }
            }
            default -> {
                return device("/dev/full", StandardOpenOption.WRITE);
            }
        }
    }

    private static OwnedFd device(String path, StandardOpenOption mode) throws IOException {
        return take(FileChannel.open(Path.of(path), mode));
    }

    private static OwnedFd take(Channel channel) throws IOException {
        try (channel) {
            return Descriptors.duplicate(channel);
        }
    }
}
