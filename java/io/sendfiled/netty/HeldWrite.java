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

    static void fail(@Nullable HeldWrite write, Throwable cause) {
        if (write != null) {
            write.bytes.release();
            write.promise.tryFailure(cause);
        }
    }
}
