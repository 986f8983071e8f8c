package io.sendfiled.client;

import io.sendfiled.protocol.ResponseDecoder;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.nio.file.FileSystemException;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The client's side of a transfer: one request, and the messages on its status channel.
 *
 * <p>Owns the read end of the status channel, and closes it at the end. Ends exactly once, by {@link #finish}. Messages
 * are handled on the watcher's thread; {@link #cancel} may be called from any.
 */
abstract non-sealed class Exchange implements Transfer {

    final StatusWatcher watcher;
    final RequestSender sender;
    final FileRequest request;
    private final Pipe.@Nullable SourceChannel source; // null: no descriptor was free for it
    private final ResponseDecoder decoder = new ResponseDecoder();
    private final CompletableFuture<FileInfo> info = new CompletableFuture<>();
    private final CompletableFuture<TransferResult> result = new CompletableFuture<>();
    private final AtomicBoolean over = new AtomicBoolean();
    private volatile Operation operation;
    private volatile long startedNs = System.nanoTime();
    private volatile long moved;
    private volatile boolean cancelled;
    private volatile boolean timedOut; // why it was cancelled
    private volatile @Nullable FileInfo fileInfo;
    private @Nullable FileDetails fileDetails; // this and the next: came before the File Information
    private int accessNanos;
    private int modificationNanos;
    private int changeNanos;
    private volatile @Nullable ProgressListener listener;
    private volatile long transferId; // 0 until the File Information came
    private volatile @Nullable TransferDetails details; // with the Result of an extended request

    Exchange(
            Operation operation,
            FileRequest request,
            Pipe.@Nullable SourceChannel source,
            StatusWatcher watcher,
            RequestSender sender) {
        this.operation = operation;
        this.request = request;
        this.source = source;
        this.watcher = watcher;
        this.sender = sender;
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
        if (!watcher.execute(this::onCancel)) { // the client is closed
            onCancel();
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

    // ---- what subclasses decide ----

    /** How many bytes may be read from the status channel now. */
    int readLimit() {
        return Integer.MAX_VALUE;
    }

    /** The status channel has ended without a final message. */
    void onEnd() {
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

    /** A cancel was asked for, on the watcher's thread. */
    void onCancel() {
        if (!over.get()) {
            sendCancel();
        }
    }

    // ---- on the watcher's thread ----

    /** The status channel, of an exchange that was submitted. */
    final Pipe.SourceChannel source() {
        return Objects.requireNonNull(source);
    }

    /** Reads the bytes that are there. The watcher calls again while there are more. */
    final void onReadable(ByteBuffer buffer) {
        int count;
        buffer.clear().limit(Math.min(buffer.capacity(), readLimit()));
        try {
            count = source().read(buffer);
        } catch (IOException e) {
            fail(e);
            return;
        }
        if (count < 0) {
            onEnd();
            return;
        }
        buffer.flip();
        boolean more = true;
        while (more && !over.get()) {
            more = onMessage(decoder.next(buffer));
        }
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
        if (fileInfo != null || fileDetails != null || decoder.size() < 0) {
            return onNonsense();
        }
        fileDetails = new FileDetails(decoder.size(), decoder.inode(), decoder.device(), decoder.mode());
        accessNanos = decoder.accessNanos();
        modificationNanos = decoder.modificationNanos();
        changeNanos = decoder.changeNanos();
        return true;
    }

    private boolean onFileInfoMessage() {
        if (decoder.size() < 0 || fileInfo != null) {
            return onNonsense();
        }
        FileInfo value = new FileInfo(
                decoder.size(),
                instant(decoder.accessTime(), accessNanos),
                instant(decoder.modificationTime(), modificationNanos),
                instant(decoder.changeTime(), changeNanos),
                fileDetails);
        fileInfo = value;
        transferId = decoder.transferId();
        if (cancelled) {
            onCancel();
        }
        info.complete(value);
        return onFileInfo(value);
    }

    /** A file system may store any 64-bit number as a time; the last Instant is in the year 1,000,000,000. */
    private static Instant instant(long seconds, int nanos) {
        long possible = Math.max(Instant.MIN.getEpochSecond(), Math.min(Instant.MAX.getEpochSecond(), seconds));
        return Instant.ofEpochSecond(possible, possible == seconds ? Math.max(0, Math.min(999_999_999, nanos)) : 0);
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
        boolean plausible = value != null && decoder.size() >= moved && decoder.size() <= value.size();
        if (technique == null || decoder.elapsedNs() < 0 || !(plausible || failed)) {
            return onNonsense();
        }
        details = new TransferDetails(
                technique, Integer.toUnsignedLong(decoder.coldWindows()), Duration.ofNanos(decoder.elapsedNs()));
        if (plausible && decoder.size() > moved) {
            var unused = onProgress(decoder.size() - moved);
        }
        if (!failed) {
            return onResult(null);
        }
        return onResult(
                decoder.fits() != 0 // an opened file, whose destination came later
                        ? refusal(decoder.errno(), decoder.fits())
                        : failure(decoder.errno(), false, null, null));
    }

    // ---- for subclasses, any thread ----

    final boolean isOver() {
        return over.get();
    }

    final boolean isCancelled() {
        return cancelled;
    }

    final Operation operation() {
        return operation;
    }

    /** Begins the second half of Open File and Send Open File. */
    final void restartAs(Operation next) {
        operation = next;
        startedNs = System.nanoTime();
    }

    final long transferId() {
        return transferId;
    }

    /** Tells the daemon to stop; does nothing before the daemon said what the transfer's id is. */
    final void sendCancel() {
        if (transferId != 0) {
            sender.cancel(transferId);
        }
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
            } catch (RuntimeException e) {
                Log.warning("the progress listener of " + this + " failed", e);
            }
        }
        return true;
    }

    final TransferException failure(int errno, boolean refusal, @Nullable String detail, @Nullable Throwable cause) {
        return new TransferException(operation, request.path(), errno, moved, refusal, 0, detail, cause);
    }

    /** A failure that the daemon has told, with the bytes that have been counted since. */
    final TransferException counted(TransferException told) {
        return new TransferException(
                operation, request.path(), told.errno(), moved, told.isRefusal(), 0, told.reason(), null);
    }

    /** The daemon refused: because of the technique, if others would fit. */
    private TransferException refusal(int errno, int fits) {
        String detail =
                fits == 0 ? null : TransferException.unfit(request.options().technique(), fits);
        return new TransferException(operation, request.path(), errno, moved, true, fits, detail, null);
    }

    final TransferException cancellation() {
        return timedOut
                ? failure(Errno.ETIMEDOUT, false, null, null)
                : failure(Errno.ECANCELED, false, "cancelled", null);
    }

    /** The request could not be submitted. */
    final void refuse(int errno, @Nullable String detail) {
        finish(null, failure(errno, true, detail, null));
    }

    /** This process failed before the daemon could write to the destination. */
    final void refuse(IOException e) {
        sendCancel();
        finish(null, failure(errnoOf(e), true, detailOf(e), e));
    }

    /** This process failed. */
    final void fail(IOException e) {
        sendCancel();
        finish(null, failure(errnoOf(e), false, detailOf(e), e));
    }

    private static int errnoOf(IOException e) {
        if (e instanceof ClosedChannelException) {
            return Errno.EBADF;
        }
        int errno = Errno.of(e);
        return errno != 0 ? errno : Errno.EIO;
    }

    /** The exception's message; null if that is only the file's name, because then the errno says more. */
    private static @Nullable String detailOf(IOException e) {
        return e instanceof FileSystemException && Errno.of(e) != 0 ? null : e.getMessage();
    }

    /** The client is being closed. */
    void abandon() {
        sendCancel();
        finish(null, failure(Errno.ECANCELED, false, "the client was closed", null));
    }

    /** The end: with a result, or with a failure. False if it has come already. */
    final boolean finish(@Nullable FileInfo success, @Nullable TransferException given) {
        if (!over.compareAndSet(false, true)) {
            return false;
        }
        closeSource();
        TransferException failure = given;
        if (success != null) {
            try {
                onSuccess();
                result.complete(
                        new TransferResult(success, moved, Duration.ofNanos(System.nanoTime() - startedNs), details));
            } catch (IOException e) {
                failure = failure(errnoOf(e), false, detailOf(e), e);
            }
        }
        if (failure != null) {
            info.completeExceptionally(failure);
            onFailure(failure);
            result.completeExceptionally(failure);
        }
        return true;
    }

    /**
     * Completes the other futures of the exchange, before {@link #result()}.
     *
     * @throws IOException if this process cannot: then the transfer has failed
     */
    void onSuccess() throws IOException {}

    /** Fails the other futures of the exchange, before {@link #result()}. */
    void onFailure(TransferException failure) {}

    final void closeSource() {
        if (source == null) {
            return;
        }
        try {
            source.close();
            if (source.isRegistered()) { // the next selection removes the key, and closes the descriptor
                watcher.wakeUp();
            }
        } catch (IOException e) {
            Log.warning("cannot close a status channel", e);
        }
    }

    @Override
    public String toString() {
        return operation + " " + request + " (" + moved + " bytes moved" + (over.get() ? ", over)" : ")");
    }
}
