package io.sendfiled.serve;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.serve.ByteRanges.ByteRange;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;

/**
 * Several ranges of a file as one body, multipart/byteranges: RFC 9110, section 14.6. The parts are sent one after the other out
 * of the one file that was opened, or that is opened again as long as it is the same.
 *
 * <p>The channel's event loop only. Owns the file.
 */
@SuppressWarnings("FutureReturnValueIgnored") // a failure is one of the next write, too
final class Multipart {
    private final ChannelHandlerContext ctx;
    private final SendfiledFile file;
    private final List<ByteRange> ranges;
    private final String type;
    private final String boundary =
            "sendfiled-" + Long.toHexString(ThreadLocalRandom.current().nextLong());

    Multipart(ChannelHandlerContext ctx, SendfiledFile file, List<ByteRange> ranges, String type) {
        this.ctx = ctx;
        this.file = file;
        this.ranges = ranges;
        this.type = type;
    }

    String contentType() {
        return "multipart/byteranges; boundary=" + boundary;
    }

    /** Of the whole body, in bytes. */
    long length() {
        long length = end().length();
        for (ByteRange range : ranges) {
            length += head(range).length() + range.length();
        }
        return length;
    }

    /**
     * Sends the body and its end, behind a header that was written.
     *
     * @param ended is told of the last write, or of the one that has failed
     */
    void send(Consumer<ChannelFuture> ended) {
        send(0, ended);
    }

    private void send(int index, Consumer<ChannelFuture> ended) {
        if (index == ranges.size()) {
            file.release();
            ended.accept(ctx.writeAndFlush(bytes(end())));
            return;
        }
        ByteRange range = ranges.get(index);
        ctx.write(bytes(head(range)));
        ctx.writeAndFlush(file.range(range.offset(), range.length()).retain()).addListener((ChannelFuture sent) -> {
            if (sent.isSuccess()) {
                send(index + 1, ended);
            } else {
                file.release();
                ended.accept(sent);
            }
        });
    }

    private String head(ByteRange range) {
        return "\r\n--" + boundary + "\r\nContent-Type: " + type + "\r\nContent-Range: "
                + range.contentRange(file.size()) + "\r\n\r\n";
    }

    private String end() {
        return "\r\n--" + boundary + "--\r\n";
    }

    private ByteBuf bytes(String text) {
        return ByteBufUtil.writeAscii(ctx.alloc(), text);
    }
}
