package io.sendfiled.tools;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.client.TransferResult;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Waiting for the client's futures, with the time limit of the command line. */
final class Waiting {
    private Waiting() {}

    /** A transfer, from the request to the report. */
    interface Attempt {
        void run(FileRequest request) throws SfdException, IOException, InterruptedException;
    }

    /** Asks for details, and tries again without them if the daemon does not know them. */
    static void withDetails(FileRequest request, Attempt attempt)
            throws SfdException, IOException, InterruptedException {
        try {
            attempt.run(request.with(request.options().withDetails(true)));
        } catch (SfdException e) {
            if (e.errno() != Errno.EPROTONOSUPPORT
                    || request.length() == 0
                    || !request.options().equals(TransferOptions.DEFAULT)) {
                throw e;
            }
            attempt.run(request);
        }
    }

    /** The same if they are wanted. */
    static void withDetails(FileRequest request, boolean wanted, Attempt attempt)
            throws SfdException, IOException, InterruptedException {
        if (wanted) {
            withDetails(request, attempt);
        } else {
            attempt.run(request);
        }
    }

    /** Opens a file in the daemon. */
    static OpenFile forOpen(FileRequest request, Arguments arguments, SendfiledClient client)
            throws SfdException, InterruptedException {
        return forValue(limited(arguments, client.open(request)), arguments);
    }

    /** Ends a transfer when the command line's time is over: its result then fails, which cancels it. */
    static <T> CompletableFuture<T> limited(Arguments arguments, CompletableFuture<T> future) throws SfdException {
        Duration timeout = arguments.timeout();
        return timeout == null ? future : future.orTimeout(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Waits for a future of the client's. */
    static <T> T forValue(CompletableFuture<T> future, Arguments arguments) throws SfdException, InterruptedException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw SfdException.of(arguments.pathText(), failureOf(e.getCause()));
        }
    }

    private static IOException failureOf(@Nullable Throwable cause) {
        if (cause instanceof TransferException failure) {
            return failure;
        }
        if (cause instanceof TimeoutException) {
            return new NativeIoException("wait", Errno.ETIMEDOUT);
        }
        return new IOException(String.valueOf(cause), cause);
    }

    /** Waits for a transfer's end, and shows its progress. */
    static TransferResult forResult(Transfer transfer, Arguments arguments, Report report)
            throws SfdException, InterruptedException {
        Duration step = Duration.ofMillis(Progress.DELAY_MS);
        long started = System.nanoTime();
        Progress progress = null;
        try {
            while (true) {
                try {
                    TransferResult result = transfer.await(step);
                    if (progress != null) {
                        progress.finish(result.bytesMoved());
                    }
                    return result;
                } catch (TimeoutException e) { // not done yet
                    step = Duration.ofMillis(Progress.PERIOD_MS);
                    if (progress == null
                            && transfer.info().isDone()
                            && !transfer.info().isCompletedExceptionally()) {
                        progress = new Progress(
                                arguments.pathText(),
                                transfer.info().join().size(),
                                started,
                                report.messages(),
                                report.wantsProgress());
                    }
                    if (progress != null) {
                        progress.update(transfer.bytesMoved());
                    }
                }
            }
        } catch (IOException e) {
            throw SfdException.of(arguments.pathText(), e);
        } finally {
            if (progress != null) {
                progress.close();
            }
        }
    }
}
