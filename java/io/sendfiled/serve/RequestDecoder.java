package io.sendfiled.serve;

import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpMessage;
import io.netty.handler.codec.http.HttpRequestDecoder;

/**
 * Netty's decoder with this server's limits. A request with both Transfer-Encoding and Content-Length, of which Netty would
 * believe the former, is malformed here: it is how requests are smuggled past another server.
 */
final class RequestDecoder extends HttpRequestDecoder {
    /** The longest request line, in bytes; above: 414. */
    static final int MAX_LINE = 8 * 1024;

    /** The longest header, in bytes; above: 431. */
    static final int MAX_HEADER = 16 * 1024;

    RequestDecoder() {
        super(new HttpDecoderConfig().setMaxInitialLineLength(MAX_LINE).setMaxHeaderSize(MAX_HEADER));
    }

    @Override
    protected void handleTransferEncodingChunkedWithContentLength(HttpMessage message) {
        throw new IllegalArgumentException("Transfer-Encoding and Content-Length");
    }
}
