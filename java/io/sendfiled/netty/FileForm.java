package io.sendfiled.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import java.util.Map;

/**
 * What a file is towards the transport: bytes that never enter this process, or buffers for the handlers that have to see
 * them. {@link #of} reads it from the pipeline as it is at the time of the write; it can be set where that is wrong.
 */
public enum FileForm {
    /**
     * The file's descriptor and a range, for the transport: nothing between may have to see the bytes. Netty's own TLS has to.
     * If the kernel encrypts instead (kTLS: whoever has set that up for the socket has no {@code SslHandler} in the way),
     * {@code sendfile(2)} and {@code splice(2)} encrypt as they send; this library leaves that to the kernel, and is not tested
     * with it.
     */
    DESCRIPTOR {
        @Override
        Object message(ByteBuf bytes) { // what is better read than sent
            return bytes;
        }
    },

    /** {@link io.netty.buffer.ByteBuf}s: for TLS, and for encoders of bytes. */
    BYTES {
        @Override
        Object message(ByteBuf bytes) {
            return bytes;
        }
    },

    /** {@code HttpContent}: for what stands between the application and an HTTP encoder, such as a compressor. */
    HTTP_CONTENT {
        @Override
        Object message(ByteBuf bytes) {
            return new DefaultHttpContent(bytes);
        }
    },

    /**
     * {@code Http2DataFrame} without {@code END_STREAM}: for a stream of {@code Http2MultiplexHandler}. The application ends
     * the stream itself, by an empty frame behind the file.
     */
    HTTP2_DATA {
        @Override
        Object message(ByteBuf bytes) {
            return new DefaultHttp2DataFrame(bytes);
        }
    };

    /** Whether bytes are written as they are, so that a buffer may have those of several writes. */
    boolean isBytes() {
        return this == DESCRIPTOR || this == BYTES;
    }

    /** Bytes as this form has them; takes the buffer. */
    abstract Object message(ByteBuf bytes);

    /**
     * The form for a handler at this place in its pipeline as it is now. A handler between it and the transport that is not
     * known to leave file regions alone gets {@link #BYTES}: that is always right, only slower. Event loop only.
     */
    public static FileForm of(ChannelHandlerContext ctx) {
        Channel channel = ctx.channel();
        ChannelPipeline pipeline = ctx.pipeline();
        boolean http2 = OutboundHandlers.isHttp2Stream(channel);
        if (!http2 && pipeline.firstContext() == ctx) { // the usual case costs nothing
            return DESCRIPTOR;
        }
        boolean bytes = false;
        for (Map.Entry<String, ChannelHandler> entry : pipeline) { // from the transport on
            ChannelHandler handler = entry.getValue();
            if (handler == ctx.handler()) {
                break;
            }
            if (OutboundHandlers.takesHttpObjects(handler)) {
                return HTTP_CONTENT;
            }
            bytes |= OutboundHandlers.hasToSeeBytes(handler);
        }
        if (http2) {
            return HTTP2_DATA;
        }
        return bytes ? BYTES : DESCRIPTOR;
    }
}
