package io.sendfiled.serve;

import io.netty.handler.codec.DecoderResult;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import java.util.Iterator;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What makes a request one that this server does not answer with a file, before its path is looked at. Pure. */
final class RequestCheck {
    /** Methods that are known, and that no file allows: the others are 501. */
    private static final Set<HttpMethod> NOT_ALLOWED = Set.of(
            HttpMethod.POST,
            HttpMethod.PUT,
            HttpMethod.DELETE,
            HttpMethod.PATCH,
            HttpMethod.OPTIONS,
            HttpMethod.TRACE,
            HttpMethod.CONNECT);

    /** Why a request is refused that was not read, or is not kept. */
    private static final class RefusedException extends Exception {
        private static final long serialVersionUID = 1L;

        final transient HttpResponseStatus status;

        RefusedException(HttpResponseStatus status) {
            super(status.toString(), null, false, false);
            this.status = status;
        }
    }

    private RequestCheck() {}

    /** Stands for a request that was not read, or is not kept, and is refused with a status. */
    static HttpRequest refused(HttpMethod method, HttpResponseStatus status) {
        HttpRequest request = new DefaultHttpRequest(HttpVersion.HTTP_1_1, method, "/");
        request.setDecoderResult(DecoderResult.failure(new RefusedException(status)));
        return request;
    }

    /** The status to refuse it with; null: none. */
    static @Nullable HttpResponseStatus refusal(HttpRequest request) {
        if (request.decoderResult().isFailure()) {
            return ofDecoder(request.decoderResult().cause());
        }
        HttpVersion version = request.protocolVersion();
        if (!version.protocolName().equals("HTTP") || version.majorVersion() != 1) {
            return HttpResponseStatus.HTTP_VERSION_NOT_SUPPORTED;
        }
        HttpHeaders headers = request.headers();
        Iterator<String> hosts = headers.valueStringIterator(HttpHeaderNames.HOST);
        boolean isHosted =
                hosts.hasNext() ? Authority.isValid(hosts.next()) && !hosts.hasNext() : version.minorVersion() == 0;
        if (!isHosted) {
            return HttpResponseStatus.BAD_REQUEST;
        }
        Iterator<String> coding = headers.valueStringIterator(HttpHeaderNames.TRANSFER_ENCODING);
        if (coding.hasNext()) {
            if (version.minorVersion() == 0) {
                return HttpResponseStatus.BAD_REQUEST;
            }
            boolean isChunked = HttpHeaderValues.CHUNKED.contentEqualsIgnoreCase(
                    coding.next().strip());
            if (!isChunked || coding.hasNext()) {
                return HttpResponseStatus.NOT_IMPLEMENTED;
            }
        }
        String expectation = headers.get(HttpHeaderNames.EXPECT);
        if (expectation != null && !HttpHeaderValues.CONTINUE.contentEqualsIgnoreCase(expectation)) {
            return HttpResponseStatus.EXPECTATION_FAILED;
        }
        HttpMethod method = request.method();
        if (method.equals(HttpMethod.GET) || method.equals(HttpMethod.HEAD)) {
            return null;
        }
        return NOT_ALLOWED.contains(method)
                ? HttpResponseStatus.METHOD_NOT_ALLOWED
                : HttpResponseStatus.NOT_IMPLEMENTED;
    }

    private static HttpResponseStatus ofDecoder(Throwable cause) {
        if (cause instanceof RefusedException refused) {
            return refused.status;
        }
        if (cause instanceof TooLongHttpLineException) {
            return HttpResponseStatus.REQUEST_URI_TOO_LONG;
        }
        return cause instanceof TooLongHttpHeaderException
                ? HttpResponseStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                : HttpResponseStatus.BAD_REQUEST;
    }

    /**
     * Whether the connection can take the next request: the client wants that, and nothing of this one is left to be read. No
     * file has a use for a body, nor reads one.
     */
    static boolean keepsAlive(HttpRequest request) {
        HttpHeaders headers = request.headers();
        return request.decoderResult().isSuccess()
                && HttpUtil.isKeepAlive(request)
                && request.protocolVersion().majorVersion() == 1
                && !headers.contains(HttpHeaderNames.TRANSFER_ENCODING)
                && !headers.contains(HttpHeaderNames.EXPECT)
                && !request.method().equals(HttpMethod.CONNECT)
                && !hasContent(headers);
    }

    private static boolean hasContent(HttpHeaders headers) {
        String length = headers.get(HttpHeaderNames.CONTENT_LENGTH);
        return length != null && !length.equals("0");
    }
}
