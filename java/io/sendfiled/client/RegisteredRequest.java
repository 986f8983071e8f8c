package io.sendfiled.client;

import io.sendfiled.jni.SessionNative;
import io.sendfiled.protocol.Wire;
import io.sendfiled.transport.SessionRequest;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A request between what is registered: which file, or part of it, is sent to which destination, or read into which buffer.
 * Immutable: made once, and submitted any number of times with {@link SendfiledClient#submit}.
 *
 * <pre>{@code
 * RegisteredFile file = client.registerFile("index.html").get();
 * RegisteredDestination to = client.register(Destination.of(socketChannel));
 * RegisteredRequest request = RegisteredRequest.send(file, to);       // the whole file
 * client.submit(request.from(1_000)).thenAccept(bytes -> ...);       // without its first 1,000 bytes
 * }</pre>
 *
 * <p>A {@link FileRequest} says all that it does elsewhere. Over a session go its path, range, options and {@linkplain
 * FileRequest#withHeader header}; one with other segments, or that asks for a seal, goes by datagrams.
 */
public final class RegisteredRequest {
    private static final byte[] NONE = {};

    private final Operation operation;
    private final boolean loads;
    private final FileRequest request;
    private final @Nullable RegisteredFile file;
    private final @Nullable RegisteredDestination destination;
    private final @Nullable RegisteredBuffer buffer;
    private final long target;
    private final @Nullable SessionRequest overSession;

    private RegisteredRequest(
            FileRequest request,
            @Nullable RegisteredFile file,
            @Nullable RegisteredDestination destination,
            @Nullable RegisteredBuffer buffer,
            long target) {
        this.operation = buffer == null ? Operation.SEND : Operation.READ;
        this.loads = buffer == null && destination == null;
        this.request = request;
        this.file = file;
        this.destination = destination;
        this.buffer = buffer;
        this.target = target;
        overSession = toSession(this);
    }

    /** Sends a file that is opened by its path. */
    public static RegisteredRequest send(FileRequest file, RegisteredDestination to) {
        return new RegisteredRequest(file, null, to, null, 0);
    }

    /** Sends a registered file. */
    public static RegisteredRequest send(RegisteredFile file, RegisteredDestination to) {
        return new RegisteredRequest(file.request(), file, to, null, 0);
    }

    /**
     * Reads a file that is opened by its path into a buffer. {@code ERANGE}: it does not fit in there.
     *
     * @param at where its first byte goes, from 0
     * @throws IllegalArgumentException if {@code at} is negative, or the request has segments or a {@link Source}
     */
    public static RegisteredRequest read(FileRequest file, RegisteredBuffer to, long at) {
        return new RegisteredRequest(checkRead(file, at), null, null, to, at);
    }

    /** Reads a registered file into a buffer; as {@link #read(FileRequest, RegisteredBuffer, long)}. */
    public static RegisteredRequest read(RegisteredFile file, RegisteredBuffer to, long at) {
        return new RegisteredRequest(checkRead(file.request(), at), file, null, to, at);
    }

    /** Loads a file into the page cache, as {@link SendfiledClient#warm(FileRequest)}; moves no byte. */
    public static RegisteredRequest warm(FileRequest file) {
        return new RegisteredRequest(file, null, null, null, 0);
    }

    /** Loads a registered file into the page cache. */
    public static RegisteredRequest warm(RegisteredFile file) {
        return new RegisteredRequest(file.request(), file, null, null, 0);
    }

    private static FileRequest checkRead(FileRequest file, long at) {
        if (at < 0) {
            throw new IllegalArgumentException("negative place " + at);
        }
        if (!file.segments().isEmpty() || file.source() != null) {
            throw new IllegalArgumentException(file + " can be sent only");
        }
        return file;
    }

    /** The same from an offset on; as {@link FileRequest#from}. */
    public RegisteredRequest from(long offset) {
        return with(request.from(offset));
    }

    /** A range of the same file; as {@link FileRequest#range}. */
    public RegisteredRequest range(long offset, long length) {
        return with(request.range(offset, length));
    }

    /** The same with options; as {@link FileRequest#with}. */
    public RegisteredRequest with(TransferOptions options) {
        return with(request.with(options));
    }

    /** The same with bytes before the file's; as {@link FileRequest#withHeader}. */
    public RegisteredRequest withHeader(byte[] header) {
        return with(request.withHeader(header));
    }

    private RegisteredRequest with(FileRequest changed) {
        return new RegisteredRequest(
                buffer == null ? changed : checkRead(changed, target), file, destination, buffer, target);
    }

    /** Which part of which file, and how; of a registered file as it was registered. */
    public FileRequest file() {
        return request;
    }

    Operation operation() {
        return operation;
    }

    boolean loads() {
        return loads;
    }

    @Nullable
    RegisteredDestination destination() {
        return destination;
    }

    @Nullable
    RegisteredBuffer buffer() {
        return buffer;
    }

    long target() {
        return target;
    }

    /** Whether it needs something that was closed. */
    boolean isReleased() {
        return (file != null && file.isClosed()) || (buffer != null && buffer.isClosed());
    }

    /** The same in numbers; null: only datagrams can say it. */
    @Nullable
    SessionRequest overSession() {
        return overSession;
    }

    private static @Nullable SessionRequest toSession(RegisteredRequest r) {
        FileRequest request = r.request;
        boolean hasHandle = r.file != null && r.file.handle() != null;
        int pathLength = request.pathBytes().length;
        List<Segment> segments = request.segments();
        boolean hasHeader = segments.size() == 2
                && segments.get(0).isBytes()
                && !segments.get(1).isBytes();
        boolean hasOptions = !request.options().equals(TransferOptions.DEFAULT);
        if (request.source() != null
                || request.root() != null
                || (!hasHandle && (pathLength == 0 || pathLength > Wire.MAX_PATH_LENGTH))
                || !(segments.isEmpty() || (hasHeader && !r.loads))
                || request.options().seal()
                || (hasOptions && (r.loads || r.buffer != null))) {
            return null;
        }
        return new SessionRequest(
                r.buffer != null ? SessionNative.READ : r.loads ? SessionNative.LOAD : SessionNative.SEND,
                hasHandle ? NONE : request.pathBytes(),
                hasHeader ? segments.get(0).bytes() : NONE,
                hasHandle && r.file != null ? r.file.handle() : null,
                r.destination != null ? r.destination.handle() : r.buffer != null ? r.buffer.handle() : null,
                hasHeader ? segments.get(1).offset() : request.offset(),
                hasHeader ? segments.get(1).length() : request.length(),
                r.target,
                hasOptions ? request.options().onTheWire() : null);
    }

    @Override
    public String toString() {
        return (loads ? "warm" : operation) + " " + request;
    }
}
