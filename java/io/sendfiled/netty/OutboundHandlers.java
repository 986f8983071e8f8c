package io.sendfiled.netty;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandler;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultFileRegion;
import io.netty.channel.FileRegion;
import io.netty.handler.codec.MessageToByteEncoder;
import io.netty.handler.codec.MessageToMessageCodec;
import io.netty.handler.codec.MessageToMessageEncoder;
import java.io.File;
import java.util.Set;

/** What the handlers between ours and the transport do to what is written. All methods: any thread, without waiting. */
final class OutboundHandlers {
    private static final String HTTP = "io.netty.handler.codec.http.";
    private static final String HTTP2 = "io.netty.handler.codec.http2.";

    /** Those that pass on whatever is written, and look at its promise or its time only. */
    private static final Set<String> INDIFFERENT = Set.of(
            "io.netty.handler.flush.FlushConsolidationHandler",
            "io.netty.handler.logging.LoggingHandler",
            "io.netty.handler.timeout.IdleStateHandler",
            "io.netty.handler.timeout.WriteTimeoutHandler",
            "io.netty.handler.stream.ChunkedWriteHandler");

    /** By name: the codecs for HTTP and HTTP/2 are no classes of everybody's. */
    private static final Set<String> HTTP_ENCODERS = Set.of(
            HTTP + "HttpObjectEncoder",
            HTTP + "HttpServerCodec",
            HTTP + "HttpClientCodec",
            HTTP + "HttpContentEncoder",
            HTTP2 + "Http2StreamFrameToHttpObjectCodec",
            HTTP2 + "HttpToHttp2ConnectionHandler");

    private static final ClassValue<Boolean> TAKES_HTTP_OBJECTS = new ClassValue<>() {
        @Override
        protected Boolean computeValue(Class<?> type) {
            return isOneOf(type, HTTP_ENCODERS);
        }
    };

    private static final ClassValue<Boolean> IS_INDIFFERENT = new ClassValue<>() {
        @Override
        protected Boolean computeValue(Class<?> type) {
            return isOneOf(type, INDIFFERENT) || !overridesWrite(type);
        }
    };

    private static final ClassValue<Boolean> IS_HTTP2_STREAM = new ClassValue<>() {
        @Override
        protected Boolean computeValue(Class<?> type) {
            return isOneOf(type, Set.of(HTTP2 + "Http2StreamChannel"));
        }
    };

    /** To ask encoders about. It is never opened. */
    private static final FileRegion A_REGION = new DefaultFileRegion(new File("/"), 0, 0);

    private OutboundHandlers() {}

    /** Whether a channel is one stream of an HTTP/2 connection: it takes frames, and is no socket. */
    static boolean isHttp2Stream(Channel channel) {
        return IS_HTTP2_STREAM.get(channel.getClass());
    }

    /** Whether an HTTP message has to come to a handler in objects of the HTTP codec. */
    static boolean takesHttpObjects(ChannelHandler handler) {
        return TAKES_HTTP_OBJECTS.get(handler.getClass());
    }

    /** Whether a handler does something to buffers, or may do so, which it cannot do to a file region. */
    static boolean hasToSeeBytes(ChannelHandler handler) {
        if (!(handler instanceof ChannelOutboundHandler) || IS_INDIFFERENT.get(handler.getClass())) {
            return false;
        }
        try {
            if (handler instanceof MessageToByteEncoder<?> encoder) {
                return encoder.acceptOutboundMessage(Unpooled.EMPTY_BUFFER) && !encoder.acceptOutboundMessage(A_REGION);
            }
            if (handler instanceof MessageToMessageEncoder<?> encoder) {
                return encoder.acceptOutboundMessage(Unpooled.EMPTY_BUFFER) && !encoder.acceptOutboundMessage(A_REGION);
            }
            if (handler instanceof MessageToMessageCodec<?, ?> codec) {
                return codec.acceptOutboundMessage(Unpooled.EMPTY_BUFFER) && !codec.acceptOutboundMessage(A_REGION);
            }
        } catch (Exception e) { // the user's: it cannot say
            return true;
        }
        return true;
    }

    private static boolean isOneOf(Class<?> type, Set<String> names) {
        for (Class<?> c = type; c != null; c = c.getSuperclass()) {
            if (names.contains(c.getName())) {
                return true;
            }
            for (Class<?> i : c.getInterfaces()) {
                if (isOneOf(i, names)) {
                    return true;
                }
            }
        }
        return false;
    }

    private static boolean overridesWrite(Class<?> type) {
        try {
            Class<?> declaring = type.getMethod(
                            "write", ChannelHandlerContext.class, Object.class, ChannelPromise.class)
                    .getDeclaringClass();
            return declaring != ChannelDuplexHandler.class && declaring != ChannelOutboundHandlerAdapter.class;
        } catch (NoSuchMethodException e) { // an inbound handler
            return false;
        }
    }
}
