package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Content;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.ClientKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A client that registers, and two files for it. Its engine runs in this process; every descriptor is counted. */
abstract class RegisteredCase {
    static final int BIG = 3_000_000; // more than a UNIX socket takes that nobody reads
    static final int SMALL = 4096;
    static final int PART = 8;

    @TempDir
    Path directory;

    Path root;
    Content big;
    byte[] small;
    ClientKind.Running running;
    SendfiledClient client;
    private int descriptorsBefore;

    /** How the client reaches its engine. */
    abstract ClientKind kind();

    @BeforeEach
    void start() throws IOException {
        root = Files.createDirectory(directory.resolve("root"));
        big = Content.write(root.resolve("big"), BIG);
        Content.write(root.resolve("small"), SMALL);
        small = Files.readAllBytes(root.resolve("small"));
        TestDestination.openAndCloseAll(directory); // whatever the JDK opens once and keeps
        descriptorsBefore = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        running = startEngine();
        client = running.client();
    }

    /** Another engine of the same files, and a client; closed by the caller. */
    ClientKind.Running startEngine() throws IOException {
        return kind().start(directory, root, Map.of());
    }

    @AfterEach
    void shouldLeakNoDescriptor() {
        running.close();
        OpenDescriptors.awaitCount(descriptorsBefore);
    }

    static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(60, TimeUnit.SECONDS);
    }

    static TransferException failure(CompletableFuture<?> future) {
        ExecutionException e = assertThrows(ExecutionException.class, () -> get(future));
        return assertInstanceOf(TransferException.class, e.getCause());
    }

    /** Before the end of the block that closes it again. */
    static void close(AutoCloseable early) throws Exception {
        early.close();
    }
}
