package io.sendfiled.system.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.RegisteredBuffer;
import io.sendfiled.client.RegisteredDestination;
import io.sendfiled.client.RegisteredFile;
import io.sendfiled.client.RegisteredRequest;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransportKind;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.ClientKind;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What is registered means the same over each transport. Every descriptor is counted. */
@ParameterizedClass
@EnumSource(ClientKind.class)
@Timeout(120)
final class RegisteredIT extends RegisteredCase {
    private static final int MANY = 2_000;

    @Parameter
    ClientKind kind;

    @Override
    ClientKind kind() {
        return kind;
    }

    private boolean hasSessions() {
        return kind == ClientKind.CONNECTED || kind == ClientKind.CONNECTED_HOT;
    }

    @Test
    void shouldSendFilesToARegisteredDestination() throws Exception {
        try (RegisteredFile file = get(client.registerFile("big"));
                TestDestination target = TestDestination.open(TestDestination.Type.TCP, directory);
                RegisteredDestination to = client.register(target.destination())) {
            assertEquals(hasSessions() ? TransportKind.SESSION : client.transport(), client.transport());
            assertEquals(BIG, file.size());
            CompletableFuture<Content> received = target.receive();
            assertEquals(BIG, get(client.submit(RegisteredRequest.send(file, to))));
            close(to);
            target.finishSending();
            assertEquals(big, get(received));
        }
    }

    @Test
    void shouldSendRangesByPath() throws Exception {
        try (TestDestination target = TestDestination.open(TestDestination.Type.TCP, directory)) {
            RegisteredDestination to = client.register(target.destination());
            CompletableFuture<Content> received = target.receive();
            RegisteredRequest request = RegisteredRequest.send(FileRequest.of("big"), to);
            assertEquals(1_000, get(client.submit(request.range(7, 1_000))));
            to.close();
            target.finishSending();
            assertEquals(Content.of(root.resolve("big"), 7, 1_000), get(received));
        }
    }

    @Test
    void shouldReadIntoARegisteredBuffer() throws Exception {
        if (kind == ClientKind.JAVA) {
            return; // it has no such memory
        }
        try (SharedBuffer buffer = SharedBuffer.allocate(8 * SMALL);
                RegisteredBuffer into = client.register(buffer);
                RegisteredFile file = get(client.registerFile("small"))) {
            assertEquals(SMALL, get(client.submit(RegisteredRequest.read(file, into, SMALL))));
            byte[] bytes = new byte[SMALL];
            buffer.view(SMALL, SMALL).get(bytes);
            assertArrayEquals(small, bytes);
            RegisteredRequest tooFar = RegisteredRequest.read(FileRequest.of("small"), into, 8 * SMALL - 1);
            assertEquals(Errno.ERANGE, failure(client.submit(tooFar)).errno());
        }
    }

    @Test
    void shouldSubmitManyTogether() throws Exception {
        if (kind == ClientKind.JAVA) {
            return; // it has no such memory
        }
        try (SharedBuffer buffer = SharedBuffer.allocate(MANY / 2 * PART);
                RegisteredBuffer into = client.register(buffer);
                RegisteredFile file = get(client.registerFile("small"))) {
            List<RegisteredRequest> requests = new ArrayList<>();
            for (int i = 0; i < MANY / 2; i++) {
                requests.add(RegisteredRequest.read(file, into, (long) i * PART).range(i, PART));
                requests.add(RegisteredRequest.warm(file));
            }
            int together = hasSessions() ? 500 : 50; // what waits in between is bounded
            for (int i = 0; i < MANY; i += together) {
                List<CompletableFuture<Long>> futures = client.submitAll(requests.subList(i, i + together));
                for (int j = 0; j < together; j++) {
                    assertEquals(j % 2 == 0 ? PART : 0, get(futures.get(j)));
                }
            }
            for (int i = 0; i < MANY / 2; i++) {
                byte[] bytes = new byte[PART];
                buffer.view((long) i * PART, PART).get(bytes);
                assertArrayEquals(Arrays.copyOfRange(small, i, i + PART), bytes);
            }
        }
    }

    @Test
    void shouldTellWhatWasMovedOfARequestThatIsWithdrawn() throws Exception {
        try (TestDestination target = TestDestination.open(TestDestination.Type.UNIX, directory);
                RegisteredDestination to = client.register(target.destination());
                RegisteredFile file = get(client.registerFile("big"))) {
            CompletableFuture<Long> stuck = client.submit(RegisteredRequest.send(file, to));
            int first = target.receivingEnd().read(ByteBuffer.allocate(PART)); // it has begun
            client.withdraw(stuck);
            TransferException withdrawn = failure(stuck);
            assertEquals(Errno.ECANCELED, withdrawn.errno());
            client.withdraw(stuck); // which is over
            close(to);
            target.finishSending();
            assertEquals(first + get(target.receive()).size(), withdrawn.bytesMoved());
            assertThrows(IllegalArgumentException.class, () -> client.withdraw(new CompletableFuture<>()));
        }
    }

    @Test
    void shouldTellWhatFailed() throws Exception {
        try (TestDestination target = TestDestination.open(TestDestination.Type.TCP, directory);
                RegisteredDestination to = client.register(target.destination())) {
            assertEquals(Errno.ENOENT, failure(client.registerFile("absent")).errno());
            RegisteredRequest absent = RegisteredRequest.send(FileRequest.of("absent"), to);
            assertEquals(Errno.ENOENT, failure(client.submit(absent)).errno());
            RegisteredFile file = get(client.registerFile("small"));
            file.close();
            assertEquals(
                    Errno.EBADF,
                    failure(client.submit(RegisteredRequest.send(file, to))).errno());
        }
    }
}
