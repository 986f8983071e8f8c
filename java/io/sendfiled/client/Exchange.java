package io.sendfiled.client;

import io.sendfiled.protocol.ResponseDecoder;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.technique.Technique;
import io.sendfiled.transport.Call;
import io.sendfiled.transport.Log;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The client's side of a transfer: one request, and the messages that come back for it.
 *
 * <p>Ends exactly once, by {@link #finish}, whatever fails meanwhile: what this thread has no memory or no stack for, the
 * transport has done by another. Messages are handled one at a time, where the transport does that; {@link #cancel} may be
 * called from any thread. Keeps its client reachable, and so open.
 */
abstract non-sealed class Exchange extends Call implements Transfer {

    // The JVM loads the class of a handler when it looks for one: without memory, what is thrown would pass the handler
    // by. Those of the subclasses, too.
    static {
        var unused = List.of(
                Throwable.class,
                IOException.class,
                ClosedChannelException.class,
                TransferException.class,
                NativeIoException.class,
                Failures.class); // without a descriptor no class can be loaded
    }

    final SendfiledClient client;
    final FileRequest request;
    private final ResponseDecoder decoder = new ResponseDecoder();
    private final CompletableFuture<FileInfo> info = new CompletableFuture<>();
    private final CompletableFuture<TransferResult> result = new CompletableFuture<>();
    private final AtomicBoolean over = new AtomicBoolean();
    private volatile Operation operation;
    private volatile long startedNs = System.nanoTime();
    private volatile long moved;
    private long before; // bytes that were sent before the engine was asked to send the rest
    private volatile boolean cancelled;
    private volatile boolean timedOut; // why it was cancelled
    private volatile @Nullable FileInfo fileInfo;
    private final FileInfoReader fileInfoReader = new FileInfoReader();
    private volatile @Nullable ProgressListener listener;
    private volatile long transferId; // 0 until the File Information came
    private volatile @Nullable TransferDetails details; // with the Result of an extended request

    /** The end: a failure, or else a success with this information. Written once, by {@link #finish}. */
    private volatile @Nullable TransferException failure;

    private @Nullable FileInfo success;

    /** What {@link #fail} could not make an exception of. */
    private volatile @Nullable Throwable fault;

    /** The end has begun, and not every future is complete. */
    private volatile boolean isEndPending;

    Exchange(Operation operation, FileRequest request, SendfiledClient client) {
        this.operation = operation;
        this.request = request;
        this.client = client;
        var unused = result.whenComplete((value, failure) -> {
            if (!over.get()) { // the user completed it: result().cancel(true), result().orTimeout(...)
                timedOut = failure instanceof TimeoutException;
                cancel();
            }
        });
    }

    // ---- Transfer ----

    @Override
    public final FileRequest request() {
        return request;
    }

    @Override
    public final CompletableFuture<FileInfo> info() {
        return info;
    }

    @Override
    public final CompletableFuture<TransferResult> result() {
        return result;
    }

    @Override
    public final long bytesMoved() {
        return moved;
    }

    @Override
    public Transfer onProgress(ProgressListener newListener) {
        listener = newListener;
        return this;
    }

    @Override
    public final void cancel() {
        if (over.get() || cancelled) {
            return;
        }
        cancelled = true;
        try {
            if (client.engine().isExtended()) {
                sendCancel(); // at once: its executor may be busy
            }
            if (!client.engine().execute(this, this::onCancel)) { // the client is closed
                onCancel();
            }
        } catch (Throwable t) { // no memory
            cancelled = false;
            throw t;
        }
    }

    @Override
    public final TransferResult await() throws IOException, InterruptedException {
        try {
            return result.get();
        } catch (ExecutionException e) {
            throw failureOf(e.getCause());
        } catch (CancellationException e) {
            throw failureOf(e);
        }
    }

    @Override
    public final TransferResult await(Duration timeout) throws IOException, TimeoutException, InterruptedException {
        try {
            return result.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw failureOf(e.getCause());
        } catch (CancellationException e) {
            throw failureOf(e);
        }
    }

    private IOException failureOf(@Nullable Throwable cause) {
        if (cause instanceof TransferException first) {
            // A new one: with the caller's stack, and the first failure as its cause.
            return first.rethrown();
        }
        if (cause instanceof CancellationException) {
            return failure(Errno.ECANCELED, false, null, cause);
        }
        if (cause instanceof TimeoutException) { // result().orTimeout(...)
            return failure(Errno.ETIMEDOUT, false, null, cause);
        }
        return failure(Errno.EIO, false, "unexpected failure", cause);
    }

    @Override
    public final @Nullable Executor executor() {
        Executor own = request.executor();
        return own == null ? client.completionExecutor() : own;
    }

    // ---- what subclasses decide ----

    /** Whether it needs the extended form of the protocol. */
    boolean isExtended() {
        return request.isExtended();
    }

    @Override
    public int readLimit() {
        return Integer.MAX_VALUE;
    }

    @Override
    public void onEnd() {
        finish(
                null,
                cancelled
                        ? cancellation()
                        : failure(Errno.ECONNABORTED, false, "the daemon ended the transfer without a word", null));
    }

    /** The File Information has come. True to read on. */
    abstract boolean onFileInfo(FileInfo value);

    /** The daemon says that it has moved so many more bytes. Always true: read on. */
    boolean onProgress(long bytes) {
        return addMoved(bytes);
    }

    /** The Result of an extended request: its failure, or null when it is complete. Always false: nothing follows. */
    boolean onResult(@Nullable TransferException failure) {
        if (failure == null) {
            onComplete();
        } else {
            finish(null, failure);
        }
        return false;
    }

    /** A cancel was asked for; where messages are handled. */
    void onCancel() {
        if (!over.get()) {
            sendCancel();
        }
    }

    // ---- where messages are handled ----

    @Override
    public final void onMessages(ByteBuffer bytes) {
        boolean more = true;
        while (more && !over.get()) {
            more = onMessage(decoder.next(bytes));
        }
    }

    @Override
    public void onReleased(Pipe.SourceChannel channel) {
        throw new IllegalStateException("no channel was asked for");
    }

    private boolean onMessage(ResponseDecoder.Event event) {
        switch (event) {
            case FILE_DETAILS:
                return onFileDetailsMessage();
            case FILE_INFO:
                return onFileInfoMessage();
            case PROGRESS:
                return decoder.size() < 0 ? onNonsense() : onProgress(decoder.size());
            case COMPLETE:
                onComplete();
                return false;
            case REFUSED:
                finish(null, failure(decoder.errno(), true, null, null));
                return false;
            case REFUSED_EXTENDED:
                finish(null, refusal(decoder.errno(), decoder.fits()));
                return false;
            case RESULT:
                return onResultMessage();
            case FAILED:
                finish(null, failure(decoder.errno(), false, null, null));
                return false;
            case MALFORMED:
                return onNonsense();
            case NEED_MORE:
                break;
        }
        return false;
    }

    private boolean onFileDetailsMessage() {
        return (fileInfo == null && fileInfoReader.takeDetails(decoder)) || onNonsense();
    }

    private boolean onFileInfoMessage() {
        if (decoder.size() < 0 || fileInfo != null) {
            return onNonsense();
        }
        FileInfo value = fileInfoReader.toInfo(decoder, before);
        fileInfo = value;
        transferId = decoder.transferId();
        if (cancelled) {
            onCancel();
        }
        info.complete(value);
        return onFileInfo(value);
    }

    private boolean onNonsense() {
        sendCancel();
        finish(null, failure(Errno.EBADMSG, false, "the daemon's answer makes no sense", null));
        return false;
    }

    private void onComplete() {
        FileInfo value = fileInfo;
        if (value == null || moved > value.size() || (details != null && moved < value.size())) {
            onNonsense();
            return;
        }
        if (moved < value.size()) {
            addMoved(value.size() - moved);
        }
        finish(value, null);
    }

    private boolean onResultMessage() {
        FileInfo value = fileInfo;
        Technique technique = Technique.of(decoder.technique());
        boolean failed = decoder.errno() != 0;
        long sent = decoder.size() + before;
        boolean plausible = value != null && sent >= moved && sent <= value.size();
        if (technique == null || decoder.elapsedNs() < 0 || !(plausible || failed)) {
            return onNonsense();
        }
        details = new TransferDetails(
                technique, Integer.toUnsignedLong(decoder.coldWindows()), Duration.ofNanos(decoder.elapsedNs()));
        if (plausible && sent > moved) {
            var unused = onProgress(sent - moved);
        }
        if (!failed) {
            return onResult(null);
        }
        return onResult(
                decoder.fits() != 0 // an opened file, whose destination came later
                        ? refusal(decoder.errno(), decoder.fits())
                        : wasStopped(decoder.errno()) ? stopped(false) : failure(decoder.errno(), false, null, null));
    }

    // ---- for subclasses, any thread ----

    @Override
    public final boolean isOver() {
        return over.get();
    }

    @Override
    public final boolean isCancelled() {
        return cancelled;
    }

    final Operation operation() {
        return operation;
    }

    /** So many bytes were sent already; the engine is asked for the rest. Before it is submitted. */
    final void beginAfter(long sent) {
        before = sent;
        moved = sent;
    }

    /** All of it was sent without the engine. */
    final void completeHot(FileInfo value) {
        endHot(value.size(), () -> {
            fileInfo = value;
            info.complete(value);
            var unused = addMoved(value.size());
            finish(value, null);
        });
    }

    /** It has failed without the engine, after so many bytes. */
    final void failHot(long sent, Throwable cause) {
        endHot(sent, () -> {
            moved = sent;
            fail(cause);
        });
    }

    /** As the engine's messages end it: not in the submitting thread, which would end one in an action of the other. */
    private void endHot(long sent, Runnable end) {
        if (!client.engine().execute(this, end)) {
            moved = sent;
            abandon();
        }
    }

    /** Begins the second half of Open File and Send Open File. */
    final void restartAs(Operation next) {
        operation = next;
        startedNs = System.nanoTime();
    }

    @Override
    public final long transferId() {
        return transferId;
    }

    /** Tells the engine to stop. */
    final void sendCancel() {
        client.engine().cancel(this);
    }

    /** Counts bytes and tells the listener. One thread at a time. Always true: read on. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // written by one thread at a time, read by any
    final boolean addMoved(long bytes) {
        moved += bytes;
        ProgressListener current = listener;
        FileInfo value = fileInfo;
        if (current != null && value != null) {
            try {
                current.onProgress(moved, value.size());
            } catch (Throwable t) { // the user's
                Log.warning("the progress listener of " + this + " failed", t);
            }
        }
        return true;
    }

    final TransferException failure(int errno, boolean refusal, @Nullable String detail, @Nullable Throwable cause) {
        return new TransferException(operation, request.path(), errno, moved, refusal && moved == 0, 0, detail, cause);
    }

    /** A failure that the daemon has told, with the bytes that have been counted since. */
    final TransferException counted(TransferException told) {
        return new TransferException(
                operation, request.path(), told.errno(), moved, told.isRefusal(), 0, told.reason(), null);
    }

    /** The engine refused: because of the technique, if others would fit. */
    private TransferException refusal(int errno, int fits) {
        if (wasStopped(errno)) {
            return stopped(true);
        }
        String detail =
                fits == 0 ? null : TransferException.unfit(request.options().technique(), fits);
        return new TransferException(operation, request.path(), errno, moved, moved == 0, fits, detail, null);
    }

    /** Why it has failed; null if it has not. */
    final @Nullable TransferException knownFailure() {
        return failure;
    }

    /** Whether an engine of this process says that it has ended it because it was told to. */
    private boolean wasStopped(int errno) {
        return client.engine().isExtended()
                && (errno == Errno.ECANCELED
                        ? cancelled || client.isClosed()
                        : errno == Errno.ESHUTDOWN && client.isClosed());
    }

    private TransferException stopped(boolean refusal) {
        return cancelled ? cancellation() : failure(Errno.ECANCELED, refusal, "the client was closed", null);
    }

    final TransferException cancellation() {
        return timedOut
                ? failure(Errno.ETIMEDOUT, false, null, null)
                : failure(Errno.ECANCELED, false, "cancelled", null);
    }

    @Override
    public final void refuse(int errno, @Nullable String detail) {
        finish(null, failure(errno, true, detail, null));
    }

    @Override
    public final void refuse(Throwable t) {
        try {
            finish(null, failure(Failures.errnoOf(t), true, Failures.detailOf(t), t));
        } catch (Throwable again) { // no memory for it, or no stack
            failLater(t);
        }
    }

    @Override
    public final void fail(Throwable t) {
        try {
            if (!over.get()) {
                sendCancel();
                finish(null, failure(Failures.errnoOf(t), false, Failures.detailOf(t), t));
            }
        } catch (Throwable again) { // no memory for it, or no stack
            failLater(t);
        }
    }

    @Override
    public final void failLater(Throwable t) {
        fault = t;
        client.engine().attend(this);
    }

    @Override
    public void abandon() {
        sendCancel();
        Throwable cause = client.engine().failure();
        finish(
                null,
                cause == null
                        ? failure(Errno.ECANCELED, false, "the client was closed", null)
                        : failure(Errno.EIO, false, "the client cannot watch its transfers any more", cause));
    }

    /** The end: with a result, or with a failure. False if it has come already. Never throws. */
    final boolean finish(@Nullable FileInfo information, @Nullable TransferException given) {
        if (!over.compareAndSet(false, true)) {
            return false;
        }
        success = information;
        failure = given;
        tryEnd();
        return true;
    }

    /** Completes every future that is not complete, or leaves that to the transport. */
    private void tryEnd() {
        try {
            end();
        } catch (Throwable t) { // no memory, or no stack: what the dependent actions throw is kept by their futures
            isEndPending = true;
            client.engine().attend(this);
        }
    }

    private void end() {
        client.engine().end(this);
        FileInfo information = success;
        if (information != null && failure == null) {
            succeed(information);
        }
        TransferException known = failure;
        if (known != null) {
            info.completeExceptionally(known);
            onFailure(known);
            result.completeExceptionally(known);
        }
    }

    private void succeed(FileInfo information) {
        TransferResult value =
                new TransferResult(information, moved, Duration.ofNanos(System.nanoTime() - startedNs), details);
        try {
            onSuccess();
        } catch (Throwable t) {
            failure = failure(Failures.errnoOf(t), false, Failures.detailOf(t), t);
            return;
        }
        result.complete(value);
    }

    /** What could not be done before. */
    @Override
    public final void onAttention() {
        Throwable t = fault;
        if (isEndPending) {
            isEndPending = false;
            tryEnd();
        } else if (t != null) {
            fail(t);
        }
    }

    /**
     * Completes the other futures of the exchange, before {@link #result()}. Perhaps once more.
     *
     * @throws IOException if this process cannot: then the transfer has failed
     */
    void onSuccess() throws IOException {}

    /** Fails the other futures of the exchange, before {@link #result()}. */
    void onFailure(TransferException failure) {}

    @Override
    public String toString() {
        return operation + " " + request + " (" + moved + " bytes moved" + (over.get() ? ", over)" : ")");
    }
}
