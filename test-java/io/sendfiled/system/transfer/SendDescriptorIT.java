package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Content;
import io.sendfiled.support.Descriptor;
import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Info;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Connected;
import io.sendfiled.system.Daemon;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/** Send Descriptor: files that the client opened itself, wherever they are; what is no file is refused. */
@ParameterizedClass
@EachKind
@Timeout(60)
final class SendDescriptorIT {
    private static final int SIZE = 300_000;
    private static final int BIG = 16 * 1024 * 1024;

    @TempDir
    private static Path directory;

    @Daemon("loops=1")
    private static TestDaemon daemon;

    private static Content content;

    /** Outside of the daemon's root. */
    private static Path file;

    @Connected
    private RawClient client;

    @Parameter
    TestDaemon.Kind kind;

    @BeforeParameterizedClassInvocation
    static void makeFiles() throws Exception {
        file = directory.resolve("outside");
        content = Content.write(file, SIZE);
    }

    @Test
    void shouldSendWhatTheClientMayReadAndTheDaemonNeedNot() throws Exception {
        try (FileChannel source = FileChannel.open(file, StandardOpenOption.READ)) {
            assertEquals(content, send(ExtendedRequest.sendDescriptor(), source));
        }
    }

    @Test
    void shouldNeitherUseNorMoveTheFilePosition() throws Exception {
        try (FileChannel source = FileChannel.open(file, StandardOpenOption.READ)) {
            assertEquals(7_777, source.position(7_777).position());
            int fd = Descriptors.numberOf(source);
            int flags = Descriptor.flags(fd);

            assertEquals(content, send(ExtendedRequest.sendDescriptor(), source));
            assertEquals(
                    Content.of(file, 1_000, 200_000),
                    send(ExtendedRequest.sendDescriptor().range(1_000, 200_000), source));
            assertEquals(
                    Content.of(file, 7_777, SIZE - 7_777),
                    send(ExtendedRequest.sendDescriptor().range(7_777, 0), source));

            assertEquals(7_777, Descriptor.position(fd));
            assertEquals(flags, Descriptor.flags(fd));
        }
    }

    @Test
    void shouldSendTheContentOfAFileThatDoesNotTellItsSize() throws Exception {
        for (Path path : List.of(Path.of("/proc/version"), Path.of("/sys/devices/system/cpu/online"))) {
            try (FileChannel source = FileChannel.open(path, StandardOpenOption.READ)) {
                assertEquals(Content.of(Files.readAllBytes(path)), send(ExtendedRequest.sendDescriptor(), source));
            }
        }
    }

    @Test
    void shouldSendAFileThatHasNoNameAnyMore() throws Exception {
        Path name = directory.resolve("gone");
        Content gone = Content.write(name, SIZE);
        try (FileChannel source = FileChannel.open(name, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            Files.delete(name);
            assertEquals(gone, send(ExtendedRequest.sendDescriptor(), source));
        }
    }

    @Test
    void shouldTellTheFilesSizeAndTime() throws Exception {
        Path dated = directory.resolve("dated");
        Content.write(dated, 100);
        Files.setLastModifiedTime(dated, FileTime.from(Instant.ofEpochSecond(1_234_567_890)));
        try (FileChannel source = FileChannel.open(dated, StandardOpenOption.READ);
                TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                Status status = client.request(
                        ExtendedRequest.sendDescriptor().range(10, 0),
                        destination.fd(),
                        Descriptors.numberOf(source))) {
            Info info = status.info();

            assertEquals(90, info.size());
            assertEquals(1_234_567_890, info.mtime());
            assertTrue(Outcome.ofRest(status).complete());
        }
    }

    @Test
    void shouldObeyCancel() throws Exception {
        Path big = directory.resolve("big");
        Content.write(big, BIG);
        try (FileChannel source = FileChannel.open(big, StandardOpenOption.READ);
                TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                Status status = client.request(
                        ExtendedRequest.sendDescriptor(), destination.fd(), Descriptors.numberOf(source))) {
            client.cancel(status.info().id());

            assertEquals(0, status.rest().length % 16); // progress at the most
            destination.finishSending();
            assertTrue(Content.drain(destination.receivingEnd()).size() < BIG);
        }
    }

    @Test
    void shouldRefuseARangeOutsideTheFile() throws Exception {
        try (FileChannel source = FileChannel.open(file, StandardOpenOption.READ)) {
            expectRefusal(Errno.ERANGE, ExtendedRequest.sendDescriptor().range(SIZE + 1, 0), source);
            expectRefusal(Errno.ERANGE, ExtendedRequest.sendDescriptor().range(SIZE - 1, 2), source);
            expectRefusal(Errno.ERANGE, ExtendedRequest.sendDescriptor().range(-1, 0), source);
        }
    }

    @Test
    void shouldRefuseASourceThatIsNoReadableFile() throws Exception {
        try (FileChannel source = FileChannel.open(file, StandardOpenOption.WRITE)) {
            expectRefusal(Errno.EBADF, ExtendedRequest.sendDescriptor(), source);
        }
        try (FileChannel source = FileChannel.open(Path.of("/dev/zero"), StandardOpenOption.READ)) {
            expectRefusal(Errno.EINVAL, ExtendedRequest.sendDescriptor(), source);
        }
        Pipe pipe = Pipe.open();
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            expectRefusal(Errno.EINVAL, Descriptors.numberOf(pipe.source()), destination);
        } finally {
            pipe.sink().close();
            pipe.source().close();
        }
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            expectRefusal(Errno.EINVAL, destination.fd(), destination);
        }
    }

    @Test
    void shouldRefuseTheWrongNumberOfDescriptors() throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            expectRefused(Errno.EBADMSG, client.request(ExtendedRequest.sendDescriptor(), destination.fd(), -1));
            expectRefused(Errno.EBADMSG, client.request(ExtendedRequest.sendDescriptor(), -1, -1));
            expectRefused(Errno.EBADMSG, client.request(ExtendedRequest.send("x"), -1, -1));
            expectRefused(Errno.EBADMSG, client.request(ExtendedRequest.read("x"), destination.fd(), -1));
        }
    }

    /** The descriptor's own disk is asked for nothing on the loop: not its attributes, not its bytes, not its close. */
    @Test
    void shouldServeOthersWhileTheSourcesDiskDoesNotAnswer() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectories(directory.resolve("behind"));
        Content held = Content.write(behind.resolve("held"), SIZE);
        try (HeldDisk disk = HeldDisk.mount(directory.resolve("disk"), behind, "held")) {
            try (FileChannel source = FileChannel.open(directory.resolve("disk/held"), StandardOpenOption.READ);
                    TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                    Status status = client.request(
                            ExtendedRequest.sendDescriptor(), destination.fd(), Descriptors.numberOf(source))) {
                disk.awaitHeld();

                try (FileChannel warm = FileChannel.open(file, StandardOpenOption.READ)) {
                    assertEquals(content, send(ExtendedRequest.sendDescriptor(), warm));
                }

                CompletableFuture<Content> received = destination.receive();
                disk.release();
                Outcome outcome = Outcome.ofSend(status);
                assertTrue(outcome.complete(), outcome.toString());
                assertTrue(outcome.coldWindows() > 0, outcome.toString());
                destination.finishSending();
                assertEquals(held, received.get(20, TimeUnit.SECONDS));
            }
            daemon.expectNoLeak(7); // the client's socket, and the disk's process and shell
        }
    }

    private Content send(ExtendedRequest request, FileChannel source) throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.TCP, directory);
                Status status = client.request(request, destination.fd(), Descriptors.numberOf(source))) {
            CompletableFuture<Content> received = destination.receive();
            Outcome outcome = Outcome.ofSend(status);
            assertTrue(outcome.complete(), outcome.toString());
            destination.finishSending();
            return received.get(20, TimeUnit.SECONDS);
        }
    }

    private void expectRefusal(int errno, ExtendedRequest request, FileChannel source) throws Exception {
        try (TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            expectRefused(errno, client.request(request, destination.fd(), Descriptors.numberOf(source)));
            destination.finishSending();
            assertEquals(-1, destination.receivingEnd().read(ByteBuffer.allocate(1)));
        }
    }

    private void expectRefusal(int errno, int source, TestDestination destination) throws Exception {
        expectRefused(errno, client.request(ExtendedRequest.sendDescriptor(), destination.fd(), source));
    }

    private static void expectRefused(int errno, Status channel) throws Exception {
        try (Status status = channel) {
            Outcome outcome = Outcome.ofSend(status);
            assertTrue(outcome.refused(), outcome.toString());
            assertEquals(Errno.name(errno), outcome.errnoName(), outcome.toString());
            assertFalse(outcome.complete());
            assertEquals(0, outcome.fits());
        }
    }
}
