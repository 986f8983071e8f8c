package io.sendfiled.serve;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpHeadersFactory;
import io.netty.handler.codec.http.HttpMessage;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import java.util.List;

/**
 * Netty's decoder with this server's limits. A request with both Transfer-Encoding and Content-Length, of which Netty would
 * believe the former, is malformed here: it is how requests are smuggled past another server.
 */
final class RequestDecoder extends HttpRequestDecoder {
    /** The longest request line, in bytes; above: 414. */
    static final int MAX_LINE = 8 * 1024;

    /** The longest header, in bytes; above: 431. */
    static final int MAX_HEADER = 16 * 1024;

    /** The most lines of a header; above: 431. Each takes much more memory than its shortest text. */
    static final int MAX_FIELDS = 100;

    private static final HttpHeadersFactory FEW_FIELDS = new HttpHeadersFactory() {
        @Override
        public HttpHeaders newHeaders() {
            return new FewFields();
        }

        @Override
        public HttpHeaders newEmptyHeaders() {
            return new FewFields();
        }
    };

    private boolean hasPart; // of a request

    RequestDecoder() {
        super(new HttpDecoderConfig()
                .setMaxInitialLineLength(MAX_LINE)
                .setMaxHeaderSize(MAX_HEADER)
                .setHeadersFactory(FEW_FIELDS)
                .setTrailersFactory(FEW_FIELDS));
    }

    /** Whether a request has begun to come, and has not come to its end. */
    boolean hasPart() {
        return hasPart || actualReadableBytes() > 0;
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception {
        int before = in.readableBytes();
        super.decode(ctx, in, out);
        if (!out.isEmpty() && out.get(out.size() - 1) instanceof LastHttpContent) {
            hasPart = false;
        } else if (in.readableBytes() != before) {
            hasPart = true;
        }
    }

    @Override
    protected void handleTransferEncodingChunkedWithContentLength(HttpMessage message) {
        throw new IllegalArgumentException("Transfer-Encoding and Content-Length");
    }

    /** Headers that a decoder adds no more to than these many lines. */
    private static final class FewFields extends DefaultHttpHeaders {
        @Override
        public HttpHeaders add(CharSequence name, Object value) {
            if (size() == MAX_FIELDS) {
                throw new TooLongHttpHeaderException("more than " + MAX_FIELDS + " lines");
            }
            return super.add(name, value);
        }
    }
}
