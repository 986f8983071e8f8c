package io.sendfiled.tools;

import io.sendfiled.client.FileInfo;
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
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Waiting for the client's futures, with the time limit of the command line. */
final class Waiting {
    private Waiting() {}

    /** A transfer, from the request to the report. */
    interface Attempt {
        void run(FileRequest request) throws SfdException, IOException, InterruptedException;
    }

    /** Tries the request with what sfd asks for by itself, and without if the daemon is too old for options. */
    static void extended(FileRequest request, FileRequest better, Attempt attempt)
            throws SfdException, IOException, InterruptedException {
        try {
            attempt.run(better);
        } catch (SfdException e) {
            if (e.errno() != Errno.EPROTONOSUPPORT
                    || request.length() == 0
                    || !request.options().equals(TransferOptions.DEFAULT)) {
                throw e;
            }
            attempt.run(request);
        }
    }

    /** Opens a file in the daemon. */
    static OpenFile forOpen(FileRequest request, Arguments arguments, SendfiledClient client)
            throws SfdException, InterruptedException {
        return forValue(arguments.deadline().limit(client.open(request)), null, arguments);
    }

    /** Waits for a future of the client's. */
    static <T> T forValue(CompletableFuture<T> future, @Nullable Transfer transfer, Arguments arguments)
            throws SfdException, InterruptedException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw Failure.of(arguments, transfer, failureOf(e.getCause()));
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

    /** What the daemon has told of the file so far; null: nothing. */
    static @Nullable FileInfo infoOf(@Nullable Transfer transfer) {
        return transfer == null || !transfer.info().isDone() || transfer.info().isCompletedExceptionally()
                ? null
                : transfer.info().join();
    }

    /** Waits for a transfer's end, and shows its progress. */
    static TransferResult forResult(Transfer transfer, Arguments arguments, Report report)
            throws SfdException, InterruptedException {
        Duration step = Duration.ofMillis(Progress.PERIOD_MS);
        try (Progress progress = report.progress(0)) {
            while (true) {
                try {
                    TransferResult result = transfer.await(step);
                    progress.finish(result.bytesMoved());
                    return result;
                } catch (TimeoutException e) { // not done yet
                    FileInfo info = infoOf(transfer);
                    if (info != null) {
                        progress.total(info.size());
                        progress.update(transfer.bytesMoved());
                    }
                }
            }
        } catch (IOException e) {
            throw Failure.of(arguments, transfer, e);
        }
    }
}
