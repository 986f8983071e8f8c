package io.sendfiled.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import org.jspecify.annotations.Nullable;

/**
 * A short buffer that was written and is held back: most likely the header of a file. Whoever has it passes it on or fails
 * it, once.
 */
record HeldWrite(ByteBuf bytes, ChannelPromise promise) {
    static void pass(@Nullable HeldWrite write, ChannelHandlerContext ctx) {
        if (write != null) {
            var unused = ctx.write(write.bytes, write.promise); // the promise tells
        }
    }

    /**
     * Gives up the buffer, whose bytes are in the one that is written with a file: its promise ends with the file's.
     *
     * @return the file's
     */
    ChannelPromise together(ChannelPromise file) {
        bytes.release();
        if (promise.isVoid()) {
            return file.unvoid();
        }
        return file.unvoid().addListener(written -> {
            if (written.isSuccess()) {
                promise.trySuccess();
            } else {
                promise.tryFailure(written.cause());
            }
        });
    }

    static void fail(@Nullable HeldWrite write, Throwable cause) {
        if (write != null) {
            write.bytes.release();
            write.promise.tryFailure(cause);
        }
    }
}
