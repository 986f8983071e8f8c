package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Content;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.system.TestDaemon;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A loop's thread allocates nothing for a version 1 request on a warm file. */
@Timeout(120)
final class AllocationIT {
    private static final int WARM_UP = 2_000;
    private static final int REQUESTS = 20_000; // of each kind
    private static final int AT_ONCE = 4; // their answers fit into a pipe

    /** A profiler's or the JVM's own grains of sand; one object a request would be 16 bytes at the least. */
    private static final long TOLERANCE = REQUESTS;

    private static final int SIZE = 4_096;

    @TempDir
    private Path directory;

    @FunctionalInterface
    private interface Round {
        void run() throws Exception;
    }

    @Test
    void shouldAllocateNothingOnTheLoopForWarmRequests() throws Exception {
        try (TestDaemon daemon = TestDaemon.start(
                        TestDaemon.Kind.EMBEDDED, directory, TestDaemon.Options.STANDARD.withLoops(1));
                RawClient client = daemon.rawClient();
                Status status = new Status();
                TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory);
                OwnedFd fd = destination.destination().duplicate()) {
            Content.write(daemon.root().resolve("file"), SIZE);
            int statusFd = Descriptors.numberOf(status.sink());
            byte[] read = RawClient.fileRequest(Wire.READ_FILE, "file");
            byte[] send = RawClient.fileRequest(Wire.SEND_FILE, "file");
            byte[] open = RawClient.fileRequest(Wire.OPEN_FILE, "file");
            byte[] missing = RawClient.fileRequest(Wire.READ_FILE, "missing");
            ByteBuffer answer = ByteBuffer.allocateDirect(AT_ONCE * (Wire.FILE_INFO_SIZE + SIZE));
            Round readFiles = () -> {
                for (int i = 0; i < AT_ONCE; i++) {
                    client.send(read, statusFd, -1);
                }
                take(status.source(), answer, AT_ONCE * (Wire.FILE_INFO_SIZE + SIZE));
            };
            Round sendFiles = () -> {
                for (int i = 0; i < AT_ONCE; i++) {
                    client.send(send, statusFd, fd.fd());
                }
                take(status.source(), answer, AT_ONCE * (Wire.FILE_INFO_SIZE + Wire.TRANSFER_STATUS_SIZE));
                take(destination.receivingEnd(), answer, AT_ONCE * SIZE);
            };
            Round openAndSendFiles = () -> {
                for (int i = 0; i < AT_ONCE; i++) {
                    client.send(open, statusFd, -1);
                    take(status.source(), answer, Wire.FILE_INFO_SIZE);
                    client.sendOpenFile(RawClient.info(answer).id(), fd.fd());
                    take(status.source(), answer, Wire.TRANSFER_STATUS_SIZE);
                }
                take(destination.receivingEnd(), answer, AT_ONCE * SIZE);
            };
            Round openAndCancelFiles = () -> {
                for (int i = 0; i < AT_ONCE; i++) {
                    client.send(open, statusFd, -1);
                    take(status.source(), answer, Wire.FILE_INFO_SIZE);
                    client.cancel(RawClient.info(answer).id());
                }
            };
            Round missFiles = () -> {
                for (int i = 0; i < AT_ONCE; i++) {
                    client.send(missing, statusFd, -1);
                }
                take(status.source(), answer, AT_ONCE * Wire.ERROR_SIZE);
            };

            expectNoAllocation("Read File", readFiles);
            expectNoAllocation("Send File", sendFiles);
            expectNoAllocation("Open File and Send Open File", openAndSendFiles);
            expectNoAllocation("Open File and Cancel", openAndCancelFiles);
            expectNoAllocation("refusals", missFiles);
            daemon.expectNoLeak(6); // the client's socket, and what it passes on and reads from
        }
    }

    private static void expectNoAllocation(String what, Round round) throws Exception {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        assertTrue(threads.isThreadAllocatedMemorySupported() && threads.isThreadAllocatedMemoryEnabled());
        long loop = loopThread();
        for (int i = 0; i < WARM_UP; i += AT_ONCE) {
            round.run();
        }
        long before = threads.getThreadAllocatedBytes(loop);
        for (int i = 0; i < REQUESTS; i += AT_ONCE) {
            round.run();
        }
        long allocated = threads.getThreadAllocatedBytes(loop) - before;

        assertTrue(before > 0);
        assertTrue(allocated < TOLERANCE, what + ": " + allocated + " bytes for " + REQUESTS + " requests");
    }

    private static long loopThread() {
        long[] found = Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("sendfiled-loop-0"))
                .mapToLong(Thread::getId)
                .toArray();
        assertEquals(1, found.length);
        return found[0];
    }

    private static void take(ReadableByteChannel in, ByteBuffer answer, int size) throws Exception {
        answer.clear().limit(size);
        while (answer.hasRemaining()) {
            assertTrue(in.read(answer) > 0);
        }
    }
}
