package io.sendfiled.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.handler.codec.compression.JdkZlibEncoder;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpContentCompressor;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http2.Http2StreamFrameToHttpObjectCodec;
import io.netty.handler.codec.string.StringEncoder;
import io.netty.handler.flush.FlushConsolidationHandler;
import io.netty.handler.logging.LoggingHandler;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.stream.ChunkedWriteHandler;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.handler.traffic.ChannelTrafficShapingHandler;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What of a file a handler has to write follows from what stands between it and the transport. */
final class FileFormTest {
    /** An application's own handler: nobody can know what it does. */
    @SuppressWarnings("FutureReturnValueIgnored") // it has a promise
    private static final class Unknown extends ChannelDuplexHandler {
        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            ctx.write(msg, promise);
        }
    }

    private static SslHandler tls() {
        try {
            SslHandler handler = SslContextBuilder.forClient().build().newHandler(Unpooled.EMPTY_BUFFER.alloc());
            handler.setHandshakeTimeoutMillis(0);
            return handler;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    static Stream<Arguments> pipelines() {
        return Stream.of(
                Arguments.of(FileForm.DESCRIPTOR, List.of()),
                Arguments.of(FileForm.DESCRIPTOR, List.of(new ChannelInboundHandlerAdapter())),
                Arguments.of(
                        FileForm.DESCRIPTOR,
                        List.of(
                                new IdleStateHandler(1, 1, 1),
                                new LoggingHandler(),
                                new FlushConsolidationHandler(),
                                new ChunkedWriteHandler(),
                                new ChannelDuplexHandler())),
                Arguments.of(FileForm.DESCRIPTOR, List.of(new StringEncoder())), // takes neither
                Arguments.of(FileForm.BYTES, List.of(tls())),
                Arguments.of(FileForm.BYTES, List.of(new JdkZlibEncoder())),
                Arguments.of(FileForm.BYTES, List.of(new LengthFieldPrepender(4))),
                Arguments.of(FileForm.BYTES, List.of(new ChannelTrafficShapingHandler(1_000_000))),
                Arguments.of(FileForm.BYTES, List.of(new Unknown())),
                Arguments.of(FileForm.BYTES, List.of(tls(), new IdleStateHandler(1, 1, 1))),
                Arguments.of(FileForm.HTTP_CONTENT, List.of(new HttpServerCodec())),
                Arguments.of(FileForm.HTTP_CONTENT, List.of(new HttpClientCodec())),
                Arguments.of(FileForm.HTTP_CONTENT, List.of(tls(), new HttpServerCodec())),
                Arguments.of(FileForm.HTTP_CONTENT, List.of(new HttpResponseEncoder(), new ChunkedWriteHandler())),
                Arguments.of(FileForm.HTTP_CONTENT, List.of(new HttpServerCodec(), new HttpContentCompressor())),
                Arguments.of(FileForm.HTTP_CONTENT, List.of(new Http2StreamFrameToHttpObjectCodec(true))));
    }

    @ParameterizedTest
    @MethodSource("pipelines")
    void shouldFollowFromThePipeline(FileForm expected, List<ChannelHandler> between) {
        EmbeddedChannel channel = new EmbeddedChannel();
        ChannelDuplexHandler ours = new ChannelDuplexHandler();
        for (ChannelHandler handler : between) {
            channel.pipeline().addLast(handler);
        }
        channel.pipeline().addLast(ours);
        channel.pipeline().addLast(new JdkZlibEncoder()); // on the other side: it has seen what comes to us
        ChannelHandlerContext ctx = channel.pipeline().context(ours);
        assertEquals(expected, FileForm.of(ctx));
        channel.pipeline().addFirst(new LengthFieldPrepender(4)); // as it is now, and not as it was
        assertEquals(expected == FileForm.DESCRIPTOR ? FileForm.BYTES : expected, FileForm.of(ctx));
        channel.finishAndReleaseAll();
    }
}
