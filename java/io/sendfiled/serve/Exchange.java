package io.sendfiled.serve;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.concurrent.Future;
import io.sendfiled.client.TransferException;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.serve.ByteRanges.ByteRange;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One request and its answer. Paths are opened by the engine alone, below its root; whether one that is no regular file is a
 * directory, it tells by the same means: {@code PATH/.} exists.
 *
 * <p>The channel's event loop only; waits for nothing. Owns the file that it has opened until that is written.
 */
@SuppressWarnings("FutureReturnValueIgnored") // a write that fails closes the channel
final class Exchange {
    private static final String INDEX = "index.html";
    private static final int MOST_ENTRIES = 10_000;

    private final Site site;
    private final Connection connection;
    private final ChannelHandlerContext ctx;
    private final HttpRequest request;
    private final Instant received = Instant.now();
    private boolean keepsAlive;
    private RequestTarget target = new RequestTarget("/", "");

    Exchange(Site site, Connection connection, ChannelHandlerContext ctx, HttpRequest request, boolean keepsAlive) {
        this.site = site;
        this.connection = connection;
        this.ctx = ctx;
        this.request = request;
        this.keepsAlive = keepsAlive;
    }

    /** Begins; the connection is told when the next one may. */
    void start() {
        HttpResponseStatus refusal = RequestCheck.refusal(request);
        if (refusal != null) {
            keepsAlive &= refusal.equals(HttpResponseStatus.METHOD_NOT_ALLOWED);
            refuse(refusal);
            return;
        }
        RequestTarget parsed = RequestTarget.parse(request.uri());
        if (parsed == null) {
            keepsAlive = false;
            refuse(HttpResponseStatus.BAD_REQUEST);
            return;
        }
        target = parsed;
        if (target.isDirectory()) {
            openIndex();
        } else {
            open(target.path(), this::found, this::notOpened);
        }
    }

    // ---- what the path stands for ----

    private void open(String path, Consumer<SendfiledFile> found, Consumer<Throwable> failed) {
        Future<SendfiledFile> opening = site.files().open(ctx.channel(), path);
        if (opening.isDone()) {
            opened(opening, found, failed);
        } else {
            opening.addListener((Future<SendfiledFile> done) -> opened(done, found, failed));
        }
    }

    private static void opened(
            Future<SendfiledFile> opening, Consumer<SendfiledFile> found, Consumer<Throwable> failed) {
        if (opening.isSuccess()) {
            found.accept(opening.getNow());
        } else {
            failed.accept(opening.cause());
        }
    }

    private void openIndex() {
        open(target.path() + INDEX, this::found, failure -> {
            if (isAbsent(failure) || isNoFile(failure)) {
                openDirectory(this::showDirectory, HttpResponseStatus.NOT_FOUND);
            } else {
                refuse(status(failure));
            }
        });
    }

    private void notOpened(Throwable failure) {
        if (isNoFile(failure)) {
            openDirectory(this::redirect, HttpResponseStatus.FORBIDDEN); // a device, a socket or a pipe
        } else {
            refuse(status(failure));
        }
    }

    /** Goes on by one or the other: whether the path is a directory. */
    private void openDirectory(Runnable isDirectory, HttpResponseStatus otherwise) {
        String inside = target.isDirectory() ? "." : "/.";
        open(
                target.path() + inside,
                file -> {
                    file.release(); // it has just become one
                    refuse(otherwise);
                },
                failure -> {
                    if (isNoFile(failure)) {
                        isDirectory.run();
                    } else {
                        refuse(isAbsent(failure) ? otherwise : status(failure));
                    }
                });
    }

    private void redirect() {
        HttpResponse response = head(HttpResponseStatus.MOVED_PERMANENTLY);
        response.headers().set(HttpHeaderNames.LOCATION, target.directoryLocation());
        sendText(response, HttpResponseStatus.MOVED_PERMANENTLY.toString(), "text/plain; charset=utf-8");
    }

    private void showDirectory() {
        Directories directories = site.directories();
        if (directories == null) {
            refuse(HttpResponseStatus.FORBIDDEN);
            return;
        }
        try {
            site.disk().execute(() -> {
                String page = null;
                IOException failure = null;
                try {
                    List<Entry> entries = directories.list(target.path(), MOST_ENTRIES);
                    page = ListingPage.of(target.path(), target.query(), entries, MOST_ENTRIES);
                } catch (IOException e) {
                    failure = e;
                }
                show(page, failure);
            });
        } catch (RejectedExecutionException e) {
            refuse(HttpResponseStatus.SERVICE_UNAVAILABLE);
        }
    }

    private void show(@Nullable String page, @Nullable IOException failure) {
        try {
            ctx.executor().execute(() -> {
                if (page == null) {
                    refuse(failure == null ? HttpResponseStatus.INTERNAL_SERVER_ERROR : status(failure));
                    return;
                }
                HttpResponse response = head(HttpResponseStatus.OK);
                response.headers()
                        .set(HttpHeaderNames.CACHE_CONTROL, HttpHeaderValues.NO_CACHE)
                        .set(HttpHeaderNames.CONTENT_SECURITY_POLICY, ListingPage.POLICY);
                sendText(response, page, "text/html; charset=utf-8");
            });
        } catch (RejectedExecutionException e) {
            // The loop has ended, and the connection with it.
        }
    }

    private static boolean isAbsent(Throwable failure) {
        int errno = errno(failure);
        return errno == Errno.ENOENT || errno == Errno.ENOTDIR;
    }

    /** Whether it is there, and no regular file. */
    private static boolean isNoFile(Throwable failure) {
        int errno = errno(failure);
        return errno == Errno.EINVAL || errno == Errno.EISDIR;
    }

    private static int errno(Throwable failure) {
        if (failure instanceof TransferException e) {
            return e.errno();
        }
        return failure instanceof IOException e ? Errno.of(e) : 0;
    }

    /** What leads out of the root is told from what is not there by nobody. */
    private static HttpResponseStatus status(Throwable failure) {
        return switch (errno(failure)) {
            case Errno.ENOENT, Errno.ENOTDIR, Errno.ENAMETOOLONG, Errno.ELOOP, Errno.EXDEV ->
                HttpResponseStatus.NOT_FOUND;
            case Errno.EACCES, Errno.EPERM, Errno.EINVAL -> HttpResponseStatus.FORBIDDEN;
            case Errno.EMFILE,
                    Errno.ENFILE,
                    Errno.EAGAIN,
                    Errno.EDQUOT,
                    Errno.ENOMEM,
                    Errno.ETIMEDOUT,
                    Errno.ESHUTDOWN -> HttpResponseStatus.SERVICE_UNAVAILABLE;
            default -> HttpResponseStatus.INTERNAL_SERVER_ERROR;
        };
    }

    // ---- which representation ----

    private void found(SendfiledFile file) {
        List<ContentCoding> codings = ContentCoding.accepted(request.headers().getAll(HttpHeaderNames.ACCEPT_ENCODING));
        String type = site.types().of(file.path());
        if (codings.isEmpty()) {
            answer(file, null, type);
        } else {
            openCoded(file, codings, 0, type);
        }
    }

    /** Looks for the file in a coding that the client likes; one that is older than the file is left over from another. */
    private void openCoded(SendfiledFile file, List<ContentCoding> codings, int index, String type) {
        if (index == codings.size()) {
            answer(file, null, type);
            return;
        }
        ContentCoding coding = codings.get(index);
        open(
                file.path() + coding.ending(),
                coded -> {
                    if (coded.modified().isBefore(file.modified())) {
                        coded.release();
                        openCoded(file, codings, index + 1, type);
                    } else {
                        file.release();
                        answer(coded, coding, type);
                    }
                },
                failure -> openCoded(file, codings, index + 1, type));
    }

    private void answer(SendfiledFile file, @Nullable ContentCoding coding, String type) {
        HttpHeaders asked = request.headers();
        switch (Preconditions.evaluate(asked, file.etag(), file.modified())) {
            case NOT_MODIFIED -> {
                sendHead(describe(head(HttpResponseStatus.NOT_MODIFIED), file));
                file.release();
            }
            case FAILED -> {
                file.release();
                refuse(HttpResponseStatus.PRECONDITION_FAILED);
            }
            case HOLD -> {
                String range = request.method().equals(HttpMethod.GET) ? asked.get(HttpHeaderNames.RANGE) : null;
                ByteRanges ranges = range != null && Preconditions.rangeHolds(asked, file.etag(), file.modified())
                        ? ByteRanges.parse(range, file.size())
                        : null;
                send(file, ranges, coding, type);
            }
        }
    }

    private void send(SendfiledFile file, @Nullable ByteRanges ranges, @Nullable ContentCoding coding, String type) {
        long size = file.size();
        if (ranges != null && ranges.ranges().isEmpty()) {
            file.release();
            HttpResponse response = head(HttpResponseStatus.REQUESTED_RANGE_NOT_SATISFIABLE);
            response.headers().set(HttpHeaderNames.CONTENT_RANGE, "bytes */" + size);
            sendText(response, response.status().toString(), "text/plain; charset=utf-8");
            return;
        }
        HttpResponse response =
                describe(head(ranges == null ? HttpResponseStatus.OK : HttpResponseStatus.PARTIAL_CONTENT), file);
        HttpHeaders headers = response.headers();
        headers.set(HttpHeaderNames.ACCEPT_RANGES, HttpHeaderValues.BYTES).set(HttpHeaderNames.CONTENT_TYPE, type);
        if (coding != null) {
            headers.set(HttpHeaderNames.CONTENT_ENCODING, coding.token());
        }
        if (ranges != null && ranges.ranges().size() > 1) {
            Multipart parts = new Multipart(ctx, file, ranges.ranges(), type);
            headers.set(HttpHeaderNames.CONTENT_TYPE, parts.contentType())
                    .set(HttpHeaderNames.CONTENT_LENGTH, parts.length());
            int status = response.status().code();
            ctx.write(response);
            parts.send(last -> {
                ended(status, last.isSuccess() ? parts.length() : 0);
                connection.answered(last, keepsAlive);
            });
            return;
        }
        if (ranges != null) {
            ByteRange range = ranges.ranges().get(0);
            file.range(range.offset(), range.length());
            headers.set(HttpHeaderNames.CONTENT_RANGE, range.contentRange(size));
        }
        headers.set(HttpHeaderNames.CONTENT_LENGTH, file.count());
        if (request.method().equals(HttpMethod.HEAD)) {
            sendHead(response);
            file.release();
            return;
        }
        int status = response.status().code();
        ctx.write(response);
        ctx.write(file);
        ChannelFuture last = ctx.write(LastHttpContent.EMPTY_LAST_CONTENT);
        last.addListener((ChannelFuture sent) -> ended(status, file.transferred()));
        connection.answered(last, keepsAlive);
    }

    // ---- answers ----

    private void refuse(HttpResponseStatus status) {
        HttpResponse response = head(status);
        if (status.equals(HttpResponseStatus.METHOD_NOT_ALLOWED)) {
            response.headers().set(HttpHeaderNames.ALLOW, "GET, HEAD");
        }
        sendText(response, status.toString(), "text/plain; charset=utf-8");
    }

    private HttpResponse head(HttpResponseStatus status) {
        HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, status);
        HttpHeaders headers = response.headers();
        headers.set(HttpHeaderNames.DATE, HttpDates.now());
        if (!keepsAlive) {
            headers.set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        } else if (request.protocolVersion().equals(HttpVersion.HTTP_1_0)) {
            headers.set(HttpHeaderNames.CONNECTION, HttpHeaderValues.KEEP_ALIVE);
        }
        return response;
    }

    /** What tells this content from others, also without it. */
    private HttpResponse describe(HttpResponse response, SendfiledFile file) {
        HttpHeaders headers = response.headers();
        headers.set(HttpHeaderNames.ETAG, file.etag())
                .set(HttpHeaderNames.LAST_MODIFIED, HttpDates.format(file.modified()))
                .set(HttpHeaderNames.VARY, HttpHeaderNames.ACCEPT_ENCODING);
        String cacheControl = site.cacheControl();
        if (cacheControl != null) {
            headers.set(HttpHeaderNames.CACHE_CONTROL, cacheControl);
        }
        return response;
    }

    private void sendText(HttpResponse response, String text, String type) {
        ByteBuf body =
                Unpooled.wrappedBuffer((text.endsWith("\n") ? text : text + "\n").getBytes(StandardCharsets.UTF_8));
        int length = body.readableBytes();
        response.headers()
                .set(HttpHeaderNames.CONTENT_TYPE, type)
                .set("X-Content-Type-Options", "nosniff")
                .set(HttpHeaderNames.CONTENT_LENGTH, length);
        if (request.method().equals(HttpMethod.HEAD)) {
            body.release();
            sendHead(response);
            return;
        }
        int status = response.status().code();
        ctx.write(response);
        ctx.write(body);
        ChannelFuture last = ctx.write(LastHttpContent.EMPTY_LAST_CONTENT);
        last.addListener((ChannelFuture sent) -> ended(status, sent.isSuccess() ? length : 0));
        connection.answered(last, keepsAlive);
    }

    private void sendHead(HttpResponse response) {
        int status = response.status().code();
        ctx.write(response);
        ChannelFuture last = ctx.write(LastHttpContent.EMPTY_LAST_CONTENT);
        last.addListener((ChannelFuture sent) -> ended(status, 0));
        connection.answered(last, keepsAlive);
    }

    private void ended(int status, long bytes) {
        AnswerLog log = site.log();
        if (log != null) {
            log.add(AnswerLine.of(ctx.channel().remoteAddress(), received, request, status, bytes));
        }
    }
}
