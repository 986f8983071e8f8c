package io.sendfiled.serve;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.concurrent.Future;
import io.sendfiled.client.TransferException;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.serve.ByteRanges.ByteRange;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Iterator;
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
    private static final String PLAIN_TEXT = "text/plain; charset=utf-8";
    private static final int MOST_ENTRIES = 10_000;

    /** What is too much for this server is less by then, as a rule. */
    private static final int RETRY_SECONDS = 5;

    private static final RequestTarget ROOT = new RequestTarget("/", "");
    private static final byte[] NOTHING = {};
    private static final byte[] CLOSE = "connection: close\r\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] KEEP_ALIVE = "connection: keep-alive\r\n".getBytes(StandardCharsets.US_ASCII);

    private final Site site;
    private final Connection connection;
    private final ChannelHandlerContext ctx;
    private final HttpRequest request;
    private final @Nullable Instant received; // for the log
    private boolean keepsAlive;
    private RequestTarget target = ROOT;
    private HttpResponseStatus status = HttpResponseStatus.OK; // of the answer
    private @Nullable SendfiledFile sent; // which tells how much of it was
    private long bytes; // of another body
    private long taken; // of the memory for clients

    /** @param taken of the memory for clients, which this gives back in the end */
    Exchange(Site site, Connection connection, ChannelHandlerContext ctx, HttpRequest request, long taken) {
        this.site = site;
        this.connection = connection;
        this.ctx = ctx;
        this.request = request;
        this.taken = taken;
        received = site.log() == null ? null : Instant.now();
    }

    /** Begins; the connection is told when the next one may. */
    void start() {
        keepsAlive = RequestCheck.keepsAlive(request) && !site.isDraining().get();
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
        AnswerHead head =
                head(HttpResponseStatus.MOVED_PERMANENTLY).add(HttpHeaderNames.LOCATION, target.directoryLocation());
        sendText(head, HttpResponseStatus.MOVED_PERMANENTLY.toString());
    }

    private void showDirectory() {
        Directories directories = site.directories();
        if (directories == null) {
            refuse(HttpResponseStatus.FORBIDDEN);
            return;
        }
        try {
            site.disk().execute(() -> {
                byte[] page = NOTHING;
                Throwable failure = null;
                try {
                    List<Entry> entries = directories.list(target.path(), MOST_ENTRIES);
                    page = ListingPage.of(target.path(), target.query(), entries, MOST_ENTRIES)
                            .getBytes(StandardCharsets.UTF_8);
                } catch (Throwable t) { // the disk's, or no memory
                    failure = t;
                }
                show(page, failure);
            });
        } catch (RejectedExecutionException e) {
            refuse(HttpResponseStatus.SERVICE_UNAVAILABLE);
        }
    }

    private void show(byte[] page, @Nullable Throwable failure) {
        try {
            ctx.executor().execute(() -> {
                if (failure != null) {
                    refuse(status(failure));
                    return;
                }
                if (!site.memory().take(page.length)) {
                    refuse(HttpResponseStatus.SERVICE_UNAVAILABLE);
                    return;
                }
                taken += page.length;
                AnswerHead head = head(HttpResponseStatus.OK)
                        .add(HttpHeaderNames.CACHE_CONTROL, HttpHeaderValues.NO_CACHE)
                        .add(HttpHeaderNames.CONTENT_SECURITY_POLICY, ListingPage.POLICY);
                sendBody(head, page, "text/html; charset=utf-8");
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
        String path = file.path();
        FileHead head = connection.heads().of(file, path, null);
        List<ContentCoding> codings = codings();
        if (codings.isEmpty()) {
            answer(file, head);
        } else {
            openCoded(file, head, codings, 0);
        }
    }

    private List<ContentCoding> codings() {
        Iterator<String> lines = request.headers().valueStringIterator(HttpHeaderNames.ACCEPT_ENCODING);
        if (!lines.hasNext()) {
            return List.of();
        }
        String first = lines.next();
        return lines.hasNext()
                ? ContentCoding.accepted(request.headers().getAll(HttpHeaderNames.ACCEPT_ENCODING))
                : connection.heads().accepted(first);
    }

    /** Looks for the file in a coding that the client likes; one that is older than the file is left over from another. */
    private void openCoded(SendfiledFile file, FileHead head, List<ContentCoding> codings, int index) {
        int next = index;
        while (next < codings.size() && head.lacks(codings.get(next))) {
            next++;
        }
        if (next == codings.size()) {
            answer(file, head);
            return;
        }
        ContentCoding coding = codings.get(next);
        int behind = next + 1;
        open(
                file.path() + coding.ending(),
                coded -> {
                    if (coded.modified().isBefore(file.modified())) {
                        coded.release();
                        openCoded(file, head, codings, behind);
                    } else {
                        file.release();
                        answer(coded, connection.heads().of(coded, file.path(), coding));
                    }
                },
                failure -> {
                    head.setLacks(coding, site.openFilesAgeNs());
                    openCoded(file, head, codings, behind);
                });
    }

    private void answer(SendfiledFile file, FileHead head) {
        HttpHeaders asked = request.headers();
        switch (Preconditions.evaluate(asked, head.etag(), file.modified())) {
            case NOT_MODIFIED -> {
                file.release();
                sendHead(head.describe(head(HttpResponseStatus.NOT_MODIFIED)));
            }
            case FAILED -> {
                file.release();
                refuse(HttpResponseStatus.PRECONDITION_FAILED);
            }
            case HOLD -> {
                String range = request.method().equals(HttpMethod.GET) ? asked.get(HttpHeaderNames.RANGE) : null;
                ByteRanges ranges = range != null && Preconditions.rangeHolds(asked, head.etag(), file.modified())
                        ? ByteRanges.parse(range, file.size())
                        : null;
                if (ranges == null) {
                    sendWhole(file, head);
                } else {
                    sendRanges(file, ranges.ranges(), head);
                }
            }
        }
    }

    private void sendWhole(SendfiledFile file, FileHead head) {
        status = HttpResponseStatus.OK;
        sendFile(head.whole(ctx.alloc(), connectionHeader()), file);
    }

    private void sendRanges(SendfiledFile file, List<ByteRange> ranges, FileHead head) {
        if (ranges.isEmpty()) {
            file.release();
            AnswerHead none = head(HttpResponseStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                    .add(HttpHeaderNames.CONTENT_RANGE, "bytes */" + file.size());
            sendText(none, none.status().toString());
            return;
        }
        AnswerHead answer = head.describe(head(HttpResponseStatus.PARTIAL_CONTENT));
        if (ranges.size() > 1) {
            Multipart parts = new Multipart(ctx, file, ranges, head.type());
            head.content(answer, parts.contentType()).add(HttpHeaderNames.CONTENT_LENGTH, parts.length());
            ctx.write(answer.end(ctx.alloc()), ctx.voidPromise());
            parts.send(last -> {
                bytes = parts.length();
                answered(last);
            });
            return;
        }
        ByteRange range = ranges.get(0);
        file.range(range.offset(), range.length());
        head.content(answer, head.type())
                .add(HttpHeaderNames.CONTENT_RANGE, range.contentRange(file.size()))
                .add(HttpHeaderNames.CONTENT_LENGTH, file.count());
        sendFile(answer.end(ctx.alloc()), file);
    }

    private void sendFile(ByteBuf head, SendfiledFile file) {
        if (isHead()) {
            file.release();
            answered(ctx.write(head));
            return;
        }
        sent = file;
        ctx.write(head, ctx.voidPromise()); // if it fails, so does the file
        answered(ctx.write(file));
    }

    // ---- answers ----

    /** Answers with a status, and a line of text that says the same. */
    void refuse(HttpResponseStatus refusal) {
        if (refusal.equals(HttpResponseStatus.NOT_FOUND)) {
            site.root().look();
        }
        AnswerHead head = head(refusal);
        if (refusal.equals(HttpResponseStatus.METHOD_NOT_ALLOWED)) {
            head.add(HttpHeaderNames.ALLOW, "GET, HEAD");
        } else if (refusal.equals(HttpResponseStatus.SERVICE_UNAVAILABLE)) {
            head.add(HttpHeaderNames.RETRY_AFTER, RETRY_SECONDS);
        }
        sendText(head, refusal.toString());
    }

    private AnswerHead head(HttpResponseStatus of) {
        status = of;
        AnswerHead head = new AnswerHead(of);
        if (!keepsAlive) {
            head.add(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        } else if (isOld()) {
            head.add(HttpHeaderNames.CONNECTION, HttpHeaderValues.KEEP_ALIVE);
        }
        return head;
    }

    private byte[] connectionHeader() {
        return keepsAlive ? isOld() ? KEEP_ALIVE : NOTHING : CLOSE;
    }

    private boolean isOld() {
        return request.protocolVersion().equals(HttpVersion.HTTP_1_0);
    }

    private void sendText(AnswerHead head, String text) {
        sendBody(head, (text + "\n").getBytes(StandardCharsets.UTF_8), PLAIN_TEXT);
    }

    private void sendBody(AnswerHead head, byte[] body, String type) {
        head.add(HttpHeaderNames.CONTENT_TYPE, type)
                .add("x-content-type-options", "nosniff")
                .add(HttpHeaderNames.CONTENT_LENGTH, body.length);
        if (isHead()) {
            sendHead(head);
            return;
        }
        bytes = body.length;
        ctx.write(head.end(ctx.alloc()), ctx.voidPromise());
        answered(ctx.write(Unpooled.wrappedBuffer(body)));
    }

    private void sendHead(AnswerHead head) {
        answered(ctx.write(head.end(ctx.alloc())));
    }

    private void answered(ChannelFuture last) {
        connection.answered(last, this);
    }

    boolean isHead() {
        return request.method().equals(HttpMethod.HEAD);
    }

    boolean keepsAlive() {
        return keepsAlive;
    }

    /** It is over, or will not be answered. */
    void forget() {
        site.memory().give(taken);
    }

    /** The transport has taken all of the answer, or has failed. */
    void ended(boolean isSuccess) {
        forget();
        AnswerLog log = site.log();
        if (log != null) {
            long moved = sent == null ? isSuccess ? bytes : 0 : sent.transferred();
            log.add(AnswerLine.of(ctx.channel().remoteAddress(), received, request, status.code(), moved));
        }
    }
}
