package io.sendfiled.transport;

import io.sendfiled.jni.SessionNative;
import io.sendfiled.protocol.RequestOptions;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The requests of a {@link Session} that are written, and that C has not taken yet. Under the lock of the session. */
final class RequestBatch {
    /** Requests, at most. */
    static final int MOST = 64;

    private static final int TEXT = 64 * 1024; // bytes of their paths and heads

    private final ByteBuffer requests = SessionNative.newBuffer(MOST * SessionNative.REQUEST_SIZE);
    private final ByteBuffer options = SessionNative.newBuffer(MOST * SessionNative.OPTIONS_SIZE);
    private final ByteBuffer text = SessionNative.newBuffer(TEXT);
    private final long requestsAt = SessionNative.address(requests);
    private final long optionsAt = SessionNative.address(options);
    private final long textAt = SessionNative.address(text);
    private int written;
    private int taken; // the first ones of them

    boolean isEmpty() {
        return written == 0;
    }

    /** The bytes of text that a request needs. */
    static int textOf(SessionRequest request) {
        return request.path().length + 1 + request.head().length;
    }

    /** Whether there is room for one more, with so many bytes of text. */
    boolean hasRoom(int bytes) {
        return written < MOST && text.remaining() >= bytes;
    }

    /** Writes a request, for which there is room. */
    void add(SessionRequest request, long userData) {
        SessionHandle file = request.file();
        SessionHandle to = request.to();
        byte[] path = request.path();
        byte[] head = request.head();
        long pathAt = path.length == 0 ? 0 : textAt + text.position();
        if (path.length > 0) {
            text.put(path).put((byte) 0);
        }
        long headAt = head.length == 0 ? 0 : textAt + text.position();
        text.put(head);
        long withOptions = putOptions(request.options());
        SessionNative.putRequest(
                requests,
                written++ * SessionNative.REQUEST_SIZE,
                request.operation(),
                file == null ? 0 : file.number,
                to == null ? 0 : to.number,
                userData,
                pathAt,
                headAt,
                head.length,
                request.offset(),
                request.length(),
                request.target(),
                withOptions);
    }

    /** Those of the next request: their address; 0: it has none. */
    private long putOptions(@Nullable RequestOptions of) {
        if (of == null) {
            return 0;
        }
        int at = written * SessionNative.OPTIONS_SIZE;
        SessionNative.putOptions(options, at, of.rate(), of.idleMs(), of.deadlineMs(), of.technique(), of.flags());
        return optionsAt + at;
    }

    /** Writes what is to be told to the daemon, and not answered; there is room for it. */
    void add(int operation, int handle, long target, long userData) {
        int at = written++ * SessionNative.REQUEST_SIZE;
        SessionNative.putRequest(requests, at, operation, handle, 0, userData, 0, 0, 0, 0, 0, target, 0);
    }

    /** Has C take what there is: how many it has taken, or -errno, which is about the first. */
    int submit(long session) {
        int result =
                SessionNative.submit(session, requestsAt + (long) taken * SessionNative.REQUEST_SIZE, written - taken);
        taken += Math.max(result, 0);
        startAnewIfEmpty();
        return result;
    }

    /** Drops the first: its user data. */
    long drop() {
        long userData = SessionNative.userDataOf(requests, taken++ * SessionNative.REQUEST_SIZE);
        startAnewIfEmpty();
        return userData;
    }

    private void startAnewIfEmpty() {
        if (taken == written) {
            taken = 0;
            written = 0;
            text.clear();
        }
    }
}
