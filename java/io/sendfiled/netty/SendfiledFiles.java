package io.sendfiled.netty;

import io.netty.channel.Channel;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Source;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.client.TransferOptions;
import io.sendfiled.hot.HotFile;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * The files of one root, for the channels of a server: opens them without waiting for a disk.
 *
 * <pre>{@code
 * SendfiledClient client = Sendfiled.embedded().config(config).hot(false).start(); // of the same root
 * SendfiledFiles files = SendfiledFiles.of(client, HotRoot.open(root));
 * ...
 * channel.pipeline().addLast(new SendfiledHandler(), new HttpServerCodec(), new MyServer(files));
 * ...
 * files.open(ctx.channel(), path).addListener((Future<SendfiledFile> opened) -> {
 *     SendfiledFile file = opened.getNow(); // null: see opened.cause()
 *     ctx.write(headers(file.count(), file.etag()));
 *     ctx.write(file);
 *     ctx.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT);
 * });
 * }</pre>
 *
 * <p>Thread-safe; one serves all event loops. It owns nothing: who made the client and the root closes them, when no
 * channel sends files any more. The two must be of the same directory: what the hot root cannot tell, the client's engine
 * or daemon is asked for by the same path.
 */
public final class SendfiledFiles {
    private static final TransferOptions DETAILS = TransferOptions.DEFAULT.withDetails(true);

    private final SendfiledClient client;
    private final @Nullable HotRoot root;

    private SendfiledFiles(SendfiledClient client, @Nullable HotRoot root) {
        this.client = client;
        this.root = root;
    }

    /**
     * Files of a root.
     *
     * @param client whose root is the same directory
     * @param root what is hot there is served by the event loop itself
     */
    public static SendfiledFiles of(SendfiledClient client, HotRoot root) {
        return new SendfiledFiles(client, root);
    }

    /** Files that only the client's engine or daemon can reach: it opens and sends all of them. */
    public static SendfiledFiles of(SendfiledClient client) {
        return new SendfiledFiles(client, null);
    }

    /**
     * Opens a file, so that its size and times are known before the headers are written. Never waits: the future is
     * complete when this returns if the kernel's caches know the file; else the engine opens it. An engine of this process
     * reads a small one at once, as {@link FileRequest#withContent} says: the future is complete when it has.
     *
     * @param executor the channel's, {@code ctx.executor()}; the future is completed there
     * @param path below the root, with or without a leading slash
     * @return the whole file, which the caller writes or releases; or fails with {@link NoSuchFileException}, {@link
     *     AccessDeniedException}, or another {@link IOException} naming the path and the errno. If it is cancelled, the file
     *     is closed
     */
    public Future<SendfiledFile> open(EventExecutor executor, String path) {
        return open(executor, path, 0);
    }

    /**
     * The same for a channel, which becomes the {@linkplain FileRequest#withOwner owner} of what the engine does: channels have
     * fair turns. The streams of an HTTP/2 connection share its turn.
     */
    public Future<SendfiledFile> open(Channel channel, String path) {
        return open(channel.eventLoop(), path, ownerOf(channel));
    }

    private Future<SendfiledFile> open(EventExecutor executor, String path, long owner) {
        CompletableFuture<OpenFile> opening;
        try {
            HotFile hot = openHot(path);
            if (hot != null) {
                return executor.newSucceededFuture(SendfiledFile.ofHot(this, path, hot));
            }
            opening = client.open(cold(FileRequest.of(path)).withOwner(owner).completingOn(executor));
        } catch (IOException | RuntimeException e) {
            return executor.newFailedFuture(e);
        }
        Promise<SendfiledFile> promise = executor.newPromise();
        var unused = opening.whenComplete((opened, failure) -> {
            try {
                executor.execute(() -> complete(promise, path, opened, failure));
            } catch (RejectedExecutionException e) { // it has ended: nobody would be told of the file
                if (opened != null) {
                    opened.close();
                }
            }
        });
        return promise;
    }

    private void complete(
            Promise<SendfiledFile> promise, String path, @Nullable OpenFile opened, @Nullable Throwable failure) {
        if (opened == null) {
            promise.tryFailure(translated(path, failure));
            return;
        }
        SendfiledFile file = SendfiledFile.ofOpened(this, path, opened);
        if (!promise.trySuccess(file)) {
            file.release();
        }
    }

    /**
     * A range of a file whose size the caller knows, to be opened when its turn to be sent comes: a queue of thousands needs
     * no descriptors. If it cannot be opened then, or is shorter, the write fails.
     *
     * @param path below the root, with or without a leading slash
     * @param offset the first byte, from 0
     * @param length how many bytes, from 0
     * @throws IllegalArgumentException if offset or length is negative, their sum is above 2^63 - 1, or the path holds a NUL
     */
    public SendfiledFile file(String path, long offset, long length) {
        return SendfiledFile.ofPath(this, FileRequest.of(path).range(offset, length));
    }

    /**
     * A range of a file that the caller has open, below the root or not. The caller keeps the channel, whose position is
     * neither used nor moved, and keeps it open until the file is released.
     *
     * @param offset the first byte, from 0
     * @param length how many bytes, from 0; if the file ends before, the write fails
     * @throws IllegalArgumentException if offset or length is negative, or their sum is above 2^63 - 1
     * @throws IOException if the channel is closed, or no descriptor is free
     */
    public SendfiledFile file(FileChannel channel, long offset, long length) throws IOException {
        FileRequest request = FileRequest.of(Source.of(channel)).range(offset, length);
        HotFile hot = adopt(channel);
        return SendfiledFile.ofSource(this, request, Source.of(channel), hot);
    }

    /** By the engine; completed in the channel's event loop. */
    Transfer send(FileRequest request, Channel channel, Destination destination) {
        return client.send(of(request, channel), destination);
    }

    /** From the kernel's caches, or null: only the engine can tell. */
    @Nullable
    HotFile openHot(String path) throws IOException {
        return root == null ? null : root.open(path);
    }

    /** A file that somebody else has opened; null: its disk is none that the hot root knows. */
    @Nullable
    HotFile adopt(FileChannel channel) throws IOException {
        return root == null ? null : root.adopt(channel);
    }

    /** By the engine; completed in the channel's event loop. */
    CompletableFuture<OpenFile> openCold(FileRequest request, Channel channel) {
        return client.open(of(cold(request), channel));
    }

    /** Of what was not hot, a file that would be sent by a buffer comes as its content. */
    private FileRequest cold(FileRequest request) {
        return request.with(DETAILS).withContent(root == null ? 0 : SendfiledHandler.MAX_READ);
    }

    private static FileRequest of(FileRequest request, Channel channel) {
        return request.withOwner(ownerOf(channel)).completingOn(channel.eventLoop());
    }

    private static long ownerOf(Channel channel) {
        Channel parent = OutboundHandlers.isHttp2Stream(channel) ? channel.parent() : channel;
        return Integer.toUnsignedLong(parent.id().hashCode());
    }

    /** What a file that is not there is told by, whoever has looked for it. */
    static IOException translated(String path, @Nullable Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        if (cause instanceof TransferException e && e.bytesMoved() == 0) {
            IOException known =
                    switch (e.errno()) {
                        case Errno.ENOENT, Errno.ENOTDIR -> new NoSuchFileException(path, null, e.reason());
                        case Errno.EACCES -> new AccessDeniedException(path, null, e.reason());
                        default -> null;
                    };
            if (known != null) {
                known.initCause(e);
                return known;
            }
        }
        return cause instanceof IOException e ? e : new IOException("cannot open " + path, cause);
    }
}
