package io.sendfiled.client;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.transport.Session;
import io.sendfiled.transport.SessionCall;
import io.sendfiled.transport.SessionRequest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** A {@link RegisteredRequest} that was submitted; completes with the bytes that were moved. */
final class Delivery extends SessionFuture<Long> {
    private static final Long NOTHING = 0L;

    private final RegisteredRequest request;
    private volatile @Nullable Transfer behind; // what it is by datagrams

    Delivery(SendfiledClient client, RegisteredRequest request) {
        super(client, request.operation(), request.file());
        this.request = request;
    }

    /** With one lock for all that go over the session. */
    static void submitAll(@Nullable Session session, Delivery[] deliveries) {
        boolean together = session != null;
        for (Delivery delivery : deliveries) {
            together = together && delivery.hasRequestForSession();
        }
        if (together) {
            Objects.requireNonNull(session).submitAll(deliveries);
            return;
        }
        for (Delivery delivery : deliveries) {
            delivery.submit();
        }
    }

    @Override
    @Nullable
    SessionRequest overSession() {
        return request.overSession();
    }

    @Override
    void onSuccess(long bytes) {
        var unused = succeed(request.loads() ? NOTHING : Long.valueOf(bytes));
    }

    @Override
    CompletableFuture<?> submitBehind() {
        if (request.isReleased()) {
            take(SessionCall.End.RELEASED);
            run();
            return this;
        }
        Transfer transfer = transfer();
        behind = transfer;
        CompletableFuture<TransferResult> result = transfer.result();
        var unused = result.whenComplete((value, failure) -> {
            if (failure != null) {
                fail(failure);
            } else {
                onSuccess(value.bytesMoved());
            }
        });
        return result;
    }

    @Override
    void withdrawBehind() {
        Transfer transfer = behind;
        if (transfer != null) {
            transfer.cancel();
        }
    }

    private Transfer transfer() {
        RegisteredDestination destination = request.destination();
        RegisteredBuffer buffer = request.buffer();
        if (destination != null) {
            return client.send(request.file(), destination);
        }
        return buffer != null
                ? client.readTo(request.file(), new Part(buffer.buffer(), request.target()))
                : client.warm(request.file());
    }

    /** The part of a buffer from a place on, as far as it goes. */
    private static final class Part implements WritableByteChannel {
        private final SharedBuffer buffer;
        private long at;

        Part(SharedBuffer buffer, long at) {
            this.buffer = buffer;
            this.at = at;
        }

        @Override
        public int write(ByteBuffer bytes) throws IOException {
            int count = bytes.remaining();
            if (buffer.isSealed()) {
                throw new NativeIoException("read into a buffer that is sealed", Errno.EPERM);
            }
            if (at > buffer.size() - count) {
                throw new NativeIoException("read into a buffer where the file does not fit", Errno.ERANGE);
            }
            buffer.view(at, count).put(bytes);
            at += count;
            return count;
        }

        @Override
        public boolean isOpen() {
            return buffer.isOpen();
        }

        @Override
        public void close() {}
    }
}
