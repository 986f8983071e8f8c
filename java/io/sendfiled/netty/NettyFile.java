package io.sendfiled.netty;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelProgressiveFuture;
import io.netty.channel.ChannelProgressiveFutureListener;
import io.netty.channel.ChannelProgressivePromise;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultFileRegion;
import io.netty.handler.codec.http.HttpChunkedInput;
import io.netty.handler.stream.ChunkedFile;
import io.netty.handler.stream.ChunkedInput;
import io.netty.handler.stream.ChunkedNioFile;
import io.netty.util.ReferenceCounted;
import io.sendfiled.base.DiskThreads;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.reflect.Field;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/**
 * A file as an application writes it that knows Netty only: a {@link DefaultFileRegion}, a {@link ChunkedNioFile} or a {@link
 * ChunkedFile}, which may be in an {@link HttpChunkedInput}. Which file it is, none of them tells, so that it is read from
 * private fields; where that cannot be, the message is left alone.
 */
final class NettyFile {
    private static final @Nullable Field REGION = field(DefaultFileRegion.class, "file", FileChannel.class);
    private static final @Nullable Field NIO_FILE = field(ChunkedNioFile.class, "in", FileChannel.class);
    private static final @Nullable Field FILE = field(ChunkedFile.class, "file", RandomAccessFile.class);

    /** Loaded when there is such a message: the HTTP codec may be missing. */
    private static final class Http {
        private static final @Nullable Field INPUT = field(HttpChunkedInput.class, "input", ChunkedInput.class);
        private static final @Nullable Field LAST = field(HttpChunkedInput.class, "lastHttpContent", Object.class);
    }

    private final Object message; // owns the file
    private final long offset;
    private final long length;
    private final @Nullable Object last;
    private final CompletableFuture<@Nullable Void> released = new CompletableFuture<>();

    private NettyFile(Object message, long offset, long length, @Nullable Object last) {
        this.message = message;
        this.offset = offset;
        this.length = length;
        this.last = last;
    }

    /** Null with a Netty that has no such field, and in a module that keeps it closed. */
    private static @Nullable Field field(Class<?> owner, String name, Class<?> type) {
        try {
            Field field = owner.getDeclaredField(name);
            field.setAccessible(true);
            return type.isAssignableFrom(field.getType()) ? field : null;
        } catch (ReflectiveOperationException | RuntimeException e) {
            return null;
        }
    }

    /** What a message holds; null if it is none of these, or does not show its file. Never waits. */
    static @Nullable NettyFile of(Object message) {
        if (message.getClass() == DefaultFileRegion.class) { // a subclass may transfer something else
            DefaultFileRegion region = (DefaultFileRegion) message;
            long sent = region.transferred();
            return REGION == null ? null : new NettyFile(region, region.position() + sent, region.count() - sent, null);
        }
        return message instanceof ChunkedInput<?> input ? ofChunked(input) : null;
    }

    private static @Nullable NettyFile ofChunked(ChunkedInput<?> input) {
        if (input instanceof ChunkedNioFile file && NIO_FILE != null) {
            return new NettyFile(file, file.currentOffset(), file.endOffset() - file.currentOffset(), null);
        }
        if (input instanceof ChunkedFile file && FILE != null) {
            return new NettyFile(file, file.currentOffset(), file.endOffset() - file.currentOffset(), null);
        }
        // The name first: without the HTTP codec there is no such class.
        if (input.getClass().getName().equals("io.netty.handler.codec.http.HttpChunkedInput")
                && get(Http.INPUT, input) instanceof ChunkedInput<?> inner) {
            NettyFile file = ofChunked(inner);
            Object last = get(Http.LAST, input);
            return file == null || last == null ? null : new NettyFile(inner, file.offset, file.length, last);
        }
        return null;
    }

    private static @Nullable Object get(@Nullable Field field, Object of) {
        try {
            return field == null ? null : field.get(of);
        } catch (IllegalAccessException e) { // it was made accessible
            throw new IllegalStateException(e);
        }
    }

    /** The open file, which the message keeps; null for a region whose file has to be opened first. */
    @Nullable
    FileChannel channel() {
        if (message instanceof DefaultFileRegion) {
            return (FileChannel) get(REGION, message);
        }
        if (message instanceof ChunkedNioFile) {
            return (FileChannel) get(NIO_FILE, message);
        }
        return get(FILE, message) instanceof RandomAccessFile file ? file.getChannel() : null;
    }

    /** A duplicate of the open file's descriptor. */
    OwnedFd duplicate() throws IOException {
        FileChannel channel = channel();
        if (channel == null) {
            throw new ClosedChannelException();
        }
        return Descriptors.duplicate(channel);
    }

    @Override
    public String toString() {
        return "the file of a " + message.getClass().getSimpleName();
    }

    /** The first byte to be sent. */
    long offset() {
        return offset;
    }

    /** How many bytes are to be sent. */
    long length() {
        return length;
    }

    /** The end of the HTTP message, to be written behind the file; null if the application writes that itself. */
    @Nullable
    Object last() {
        return last;
    }

    /** Opens the file of a region, on a thread that may wait for its disk. */
    CompletableFuture<?> open() {
        return CompletableFuture.runAsync(
                () -> {
                    try {
                        ((DefaultFileRegion) message).open();
                    } catch (IOException e) {
                        throw new CompletionException(e);
                    }
                },
                DiskThreads.EXECUTOR);
    }

    /**
     * Gives up the message as Netty does when it was sent, which closes the file unless others refer to it.
     *
     * @param here whether a close of this file waits for no disk
     */
    void release(boolean here) {
        if (here) {
            releaseMessage();
        } else {
            DiskThreads.EXECUTOR.execute(this::releaseMessage);
        }
    }

    private void releaseMessage() {
        try {
            if (message instanceof ReferenceCounted counted) {
                counted.release();
            } else {
                ((ChunkedInput<?>) message).close();
            }
        } catch (Exception e) { // the file's
            Log.warning("closing a file that was sent", e);
        } finally {
            released.complete(null);
        }
    }

    /**
     * The promise for our own write in place of the application's, which is complete when the message was released as well:
     * many close their file then, which must not be the close that waits for a disk.
     */
    ChannelPromise promise(ChannelHandlerContext ctx, ChannelPromise applications) {
        ChannelPromise ours = ctx.newPromise();
        if (applications instanceof ChannelProgressivePromise progressive) {
            ours = ctx.newProgressivePromise().addListener(forwardingTo(progressive));
        }
        return ours.addListener(written -> {
            if (released.isDone()) {
                complete(applications, written.cause());
            } else {
                var unused = released.thenRunAsync(() -> complete(applications, written.cause()), ctx.executor());
            }
        });
    }

    private static ChannelProgressiveFutureListener forwardingTo(ChannelProgressivePromise promise) {
        return new ChannelProgressiveFutureListener() {
            @Override
            public void operationProgressed(ChannelProgressiveFuture future, long progress, long total) {
                promise.tryProgress(progress, total);
            }

            @Override
            public void operationComplete(ChannelProgressiveFuture future) {}
        };
    }

    private static void complete(ChannelPromise promise, @Nullable Throwable failure) {
        if (failure == null) {
            promise.trySuccess();
        } else {
            promise.tryFailure(failure);
        }
    }
}
