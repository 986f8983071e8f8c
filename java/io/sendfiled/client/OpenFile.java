package io.sendfiled.client;

import io.sendfiled.base.Forgotten;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A file that the engine holds open for this process, until it is sent, closed, or not sent in time (the engine's
 * open-file timeout); or one that {@linkplain SendfiledClient#open(FileRequest) this process} has open, until it is sent or closed,
 * or the client is. Thread-safe. One that is forgotten is closed when the garbage collector finds it, which is logged.
 *
 * <p>For answers that begin with the file's size: open, write the headers, send.
 */
public final class OpenFile implements AutoCloseable {
    private final Opened opened;
    private final FileInfo info;

    OpenFile(Opened opened, FileInfo info) {
        this.opened = opened;
        this.info = info;
        if (opened.content() == null) {
            var unused = Forgotten.watch(this, opened::onUnreachable);
        }
    }

    /** The file's size and times. */
    public FileInfo info() {
        return info;
    }

    /** What was opened. */
    public FileRequest request() {
        return opened.request();
    }

    /**
     * The content of a file, or range, that was {@linkplain FileRequest#withContent asked for}: read-only, all of it, with a
     * position of its own at each call. Such a file is not open, and is not {@linkplain #send sent} by the engine; there is
     * nothing to close. Null: it is open.
     */
    public @Nullable ByteBuffer content() {
        return opened.content();
    }

    /**
     * Sends the file, or the range that was opened. Once only. Never blocks.
     *
     * @param destination the destination; the caller keeps it
     * @return the transfer; it fails with {@code ETIMEDOUT} if the engine has given the file up meanwhile
     * @throws IllegalStateException if it was sent or closed before, or has come as its {@link #content()}
     */
    public Transfer send(Destination destination) {
        if (!opened.use()) {
            throw new IllegalStateException(request() + " was sent or closed before");
        }
        return opened.send(destination);
    }

    /** Has the file closed; does nothing if it was sent. Idempotent, never blocks. */
    @Override
    public void close() {
        if (opened.use()) {
            opened.discard();
        }
    }
}
