package io.sendfiled.client;

import io.sendfiled.jni.SessionNative;
import io.sendfiled.protocol.Wire;
import io.sendfiled.transport.SessionHandle;
import io.sendfiled.transport.SessionRequest;
import java.time.Instant;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A file that is being registered; completes with it. */
final class FileRegistration extends SessionFuture<RegisteredFile> {
    private static final byte[] NONE = {};
    private static final long NANOS = TimeUnit.SECONDS.toNanos(1);

    private final FileRequest request;
    private final @Nullable SessionRequest overSession;
    private @Nullable RegisteredFile opened;

    FileRegistration(SendfiledClient client, FileRequest request) {
        super(client, Operation.OPEN, request);
        this.request = request;
        byte[] path = request.pathBytes();
        overSession = path.length == 0 || path.length > Wire.MAX_PATH_LENGTH || request.root() != null
                ? null
                : new SessionRequest(SessionNative.OPEN, path, NONE, null, null, 0, 0, 0, null);
    }

    @Override
    @Nullable
    SessionRequest overSession() {
        return overSession;
    }

    @Override
    void read(SessionNative.Completions completion, @Nullable SessionHandle handle) {
        if (handle == null) {
            return;
        }
        long nanos = completion.modifiedNanos();
        opened = new RegisteredFile(
                request,
                completion.size(),
                Instant.ofEpochSecond(Math.floorDiv(nanos, NANOS), Math.floorMod(nanos, NANOS)),
                new FileDetails(completion.size(), completion.inode(), completion.device(), completion.mode()),
                client.session(),
                handle);
    }

    @Override
    void onSuccess(long bytes) {
        deliver(Objects.requireNonNull(opened));
    }

    private void deliver(RegisteredFile file) {
        if (!succeed(file)) { // the user has completed the future
            file.close();
        }
    }

    @Override
    CompletableFuture<?> submitBehind() {
        CompletableFuture<OpenFile> open = client.open(request.from(0));
        var unused = open.whenComplete((file, failure) -> {
            if (failure != null) {
                fail(failure);
                return;
            }
            FileInfo info = file.info();
            file.close(); // its name is opened again for each request
            deliver(new RegisteredFile(request, info.size(), info.modified(), info.details(), null, null));
        });
        return open;
    }
}
