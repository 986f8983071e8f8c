package io.sendfiled.serve;

import io.sendfiled.base.SystemLog;
import io.sendfiled.names.Names;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Says in the log when the directory that is served has lost its name: what has taken its place is not served, and all is 404 if it
 * was removed. Looks when something was not found, once a second at most.
 *
 * <p>Thread-safe; waits for no disk but in the constructor.
 */
final class RootWatch {
    private static final long PAUSE_NS = TimeUnit.SECONDS.toNanos(1);

    private final Path root;
    private final Executor disk;
    private final @Nullable Object served;
    private final AtomicBoolean isLooking = new AtomicBoolean();
    private volatile long nextNs = System.nanoTime();
    private boolean isTold; // for who looks

    /** @param disk where it looks; may reject that */
    RootWatch(Path root, Executor disk) {
        this.root = root;
        this.disk = disk;
        served = key();
    }

    /** Something was not found. */
    void look() {
        if (System.nanoTime() - nextNs < 0 || !isLooking.compareAndSet(false, true)) {
            return;
        }
        try {
            disk.execute(this::compare);
        } catch (RejectedExecutionException e) { // it is busy, or the server ends
            isLooking.set(false);
        }
    }

    private void compare() {
        boolean isSame = Objects.equals(served, key());
        if (!isSame && !isTold) {
            String said = "somebody removed or replaced " + Names.printable(root)
                    + ": the directory of before is served until this is started anew";
            SystemLog.log("io.sendfiled.serve", System.Logger.Level.WARNING, said, null);
        }
        isTold = !isSame;
        nextNs = System.nanoTime() + PAUSE_NS;
        isLooking.set(false);
    }

    /** What tells it from any other directory; null: there is none. */
    private @Nullable Object key() {
        try {
            return Files.readAttributes(root, BasicFileAttributes.class).fileKey();
        } catch (IOException e) {
            return null;
        }
    }
}
