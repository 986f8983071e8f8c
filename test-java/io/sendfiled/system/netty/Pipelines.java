package io.sendfiled.system.netty;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.concurrent.Future;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.support.Await;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Parts that the tests of one channel share. */
final class Pipelines {
    private Pipelines() {}

    /** Opens a file, however long that takes. */
    static SendfiledFile open(Channel channel, SendfiledFiles files, String path) throws Exception {
        return await(files.open(channel.eventLoop(), path), path);
    }

    /** The same for the channel, which owns it. */
    static SendfiledFile open(SendfiledFiles files, Channel channel, String path) throws Exception {
        return await(files.open(channel, path), path);
    }

    private static SendfiledFile await(Future<SendfiledFile> opened, String path) throws Exception {
        if (!opened.await(Await.LONG.toMillis())) {
            throw new AssertionError(path + " is not opened");
        }
        return opened.get();
    }

    /** Waits for the end of a write; its failure, null if there is none. */
    static Throwable causeOf(ChannelFuture write) throws InterruptedException {
        if (!write.await(Await.LONG.toMillis())) {
            throw new AssertionError("a write does not end");
        }
        return write.cause();
    }

    /** Keeps the user events of a channel, and the exceptions. */
    static final class Events extends ChannelInboundHandlerAdapter {
        final List<Object> seen = new CopyOnWriteArrayList<>();

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            seen.add(event);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            seen.add(cause);
        }
    }
}
