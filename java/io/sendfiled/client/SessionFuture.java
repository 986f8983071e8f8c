package io.sendfiled.client;

import io.sendfiled.jni.SessionNative;
import io.sendfiled.sys.Errno;
import io.sendfiled.transport.Session;
import io.sendfiled.transport.SessionCall;
import io.sendfiled.transport.SessionHandle;
import io.sendfiled.transport.SessionRequest;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * A request over a session, and its result: one object. Where no session takes it, another request, by datagrams, is behind it.
 *
 * <p>Ends exactly once, by whoever completes it first; when that is the user, the daemon is told.
 */
abstract class SessionFuture<T> extends CompletableFuture<T> implements SessionCall {
    final SendfiledClient client;
    private final Operation operation;
    private final FileRequest file;
    private volatile long ticket; // of the session
    // what it has taken
    private @Nullable End end;
    private int error;
    private long moved;

    /** The request that is behind it; null: none is. */
    private volatile @Nullable CompletableFuture<?> behind;

    private volatile boolean withdrawn;

    SessionFuture(SendfiledClient client, Operation operation, FileRequest file) {
        this.client = client;
        this.operation = operation;
        this.file = file;
    }

    // ---- what subclasses decide ----

    /** Null: only datagrams can say it. */
    abstract @Nullable SessionRequest overSession();

    /** Reads what else the completion says. */
    void read(SessionNative.Completions completion, @Nullable SessionHandle opened) {}

    /** The daemon has done it. */
    abstract void onSuccess(long bytes);

    /** Submits the request that is to be behind it, and completes with that: its future. */
    abstract CompletableFuture<?> submitBehind();

    /** Has the request that is behind it end, if there is one, with which it completes. Idempotent. */
    void withdrawBehind() {}

    // ---- submitting ----

    final void submit() {
        Session session = client.session();
        if (session != null && overSession() != null) {
            session.submit(this);
        } else {
            passOn();
        }
    }

    private void passOn() {
        if (withdrawn) {
            fail(withdrawal());
            return;
        }
        try {
            CompletableFuture<?> submitted = submitBehind();
            behind = submitted;
            if (isDone()) { // since before it was known what to cancel
                submitted.cancel(true);
            } else if (withdrawn) { // likewise
                withdrawBehind();
            }
        } catch (Throwable t) { // the destination's, or no memory
            fail(new TransferException(
                    operation, file.path(), Failures.errnoOf(t), 0, true, 0, Failures.detailOf(t), t));
        }
    }

    final boolean hasRequestForSession() {
        return overSession() != null;
    }

    // ---- SessionCall ----

    @Override
    public final SessionRequest request() {
        return Objects.requireNonNull(overSession());
    }

    @Override
    public final long ticket() {
        return ticket;
    }

    @Override
    public final void setTicket(long value) {
        ticket = value;
    }

    @Override
    public final boolean isOver() {
        return isDone();
    }

    @Override
    public final @Nullable Executor executor() {
        Executor own = file.executor();
        return own == null ? client.completionExecutor() : own;
    }

    @Override
    public final void take(SessionNative.Completions completion, @Nullable SessionHandle opened) {
        error = completion.error();
        moved = completion.moved();
        read(completion, opened);
    }

    @Override
    public final void take(End value) {
        end = value;
    }

    @Override
    public final void run() {
        if (end == null) {
            if (error == 0) {
                onSuccess(moved);
            } else {
                fail(failure(error, moved == 0, null));
            }
            return;
        }
        switch (end) {
            case PASSED_ON -> {
                end = null;
                if (!isDone()) {
                    passOn();
                }
            }
            case LOST -> fail(failure(Errno.ECONNABORTED, false, lost()));
            case REFUSED -> fail(failure(Errno.EAGAIN, true, "too many requests wait for the daemon already"));
            case RELEASED -> fail(failure(Errno.EBADF, true, "what was registered for it is closed"));
            case WITHDRAWN -> fail(withdrawal());
            case CLOSED -> fail(failure(Errno.ECANCELED, false, "the client was closed"));
        }
    }

    private String lost() {
        return request().file() == null
                ? "the daemon ended the transfer without a word"
                : "the daemon that had the file open has ended: register it again";
    }

    private TransferException withdrawal() {
        return failure(Errno.ECANCELED, true, "withdrawn before the daemon had it");
    }

    private TransferException failure(int errno, boolean refusal, @Nullable String detail) {
        return new TransferException(operation, file.path(), errno, moved, refusal, 0, detail, null);
    }

    // ---- the end ----

    /** Asks for its end, with which it completes, unless it does otherwise before. */
    final void withdraw() {
        Session session = client.session();
        withdrawn = true;
        if (behind != null) {
            withdrawBehind();
        } else if (session != null && !isDone()) {
            session.withdraw(this);
        }
    }

    /** False if it is complete already. */
    final boolean succeed(T value) {
        return super.complete(value);
    }

    final void fail(Throwable cause) {
        super.completeExceptionally(cause);
    }

    @Override
    public final boolean complete(T value) {
        return withdrawnIf(super.complete(value));
    }

    @Override
    public final boolean completeExceptionally(Throwable cause) {
        return withdrawnIf(super.completeExceptionally(cause));
    }

    @Override
    public final boolean cancel(boolean mayInterruptIfRunning) {
        boolean was = isDone();
        boolean cancelled = super.cancel(mayInterruptIfRunning);
        var unused = withdrawnIf(!was);
        return cancelled;
    }

    /** The user has completed it. */
    private boolean withdrawnIf(boolean byUser) {
        CompletableFuture<?> submitted = behind;
        Session session = client.session();
        if (byUser && submitted != null) {
            submitted.cancel(true);
        } else if (byUser && session != null) {
            session.withdraw(this);
        }
        return byUser;
    }
}
