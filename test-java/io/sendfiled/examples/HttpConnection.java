package io.sendfiled.examples;

import io.sendfiled.client.FileInfo;
import io.sendfiled.client.FileRequest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A client's connection: one request after the other, each of which goes through the steps below. How a file gets into the
 * socket is what the servers differ in.
 *
 * <p>On the loop's thread, and never waits.
 */
abstract class HttpConnection {
    private enum Step {
        READ_REQUEST, // until its head is whole
        ASK, // the daemon, and wait for its answer
        WRITE_HEADER, // until the socket has taken all of it
        SEND_BODY, // until it is over
        LINGER, // the last response is out: until the client has hung up
        CLOSED
    }

    final HttpServer server;
    final HttpSocket socket;
    private Step step = Step.READ_REQUEST;
    private HttpRequest request = HttpRequest.NONE;
    private HttpResponse response = HttpResponse.NONE;
    private ByteBuffer header = ByteBuffer.allocate(0);
    private @Nullable CompletableFuture<?> awaited; // of the daemon

    /** Takes the channel. */
    HttpConnection(HttpServer server, SocketChannel channel) throws IOException {
        this.server = server;
        socket = new HttpSocket(server.loop(), channel, server.patience(), this::advance, this::close);
    }

    // ---- what the servers differ in ----

    /**
     * Asks the daemon for a file, and {@link #answer}s then.
     *
     * @param infoOnly whether none of its bytes are wanted
     */
    abstract void ask(FileRequest file, boolean infoOnly);

    /** The header is in the socket: begins to send what was asked for, or goes on, and {@link #finish}es then. */
    abstract void sendBody() throws IOException;

    /** Lets go of what was asked for, whatever has become of it. Idempotent. */
    abstract void release();

    // ---- for the servers ----

    /** Waits for the daemon's answer. It is dropped if nobody wants to know it any more. */
    final <T> void await(CompletableFuture<T> answer, Consumer<T> then, Consumer<T> drop) {
        awaited = answer;
        socket.awaitDaemon();
        var unused = answer.whenCompleteAsync( // on the loop: without that, it would be on the client's own thread
                (value, failure) -> {
                    boolean wanted = awaited == answer;
                    if (failure == null) {
                        (wanted ? then : drop).accept(value);
                    } else if (wanted) {
                        onFailure(failure);
                    }
                },
                server.loop());
    }

    private void onFailure(Throwable failure) {
        if (step == Step.ASK) {
            refuse(HttpResponse.statusOf(failure));
        } else { // the header has promised more: hanging up is the only way to say so
            close();
        }
    }

    /** As exact as all requests are told it: of an opened file it is known to the nanosecond. */
    private static Instant toSeconds(Instant time) {
        return time.truncatedTo(ChronoUnit.SECONDS);
    }

    /** The file is there. The header is next; or for a range, as the file's size is known now, what was asked for. */
    final void answer(FileInfo info) {
        boolean isRange = response.isDecided();
        if (isRange && !toSeconds(response.modified()).equals(toSeconds(info.modified()))) {
            refuse(503); // it is another file than that whose size was told: "bytes 0-9/100" could be a lie
            return;
        }
        if (!isRange) {
            response = HttpResponse.of(request, info);
            if (response.status() == 206) {
                release();
                ask(file().range(response.first(), response.length()), false);
                return;
            }
        }
        writeHeader();
    }

    /** The response is out: next is another request, or the end. */
    final void finish() {
        release();
        response = HttpResponse.NONE;
        step = request.keepAlive() ? Step.READ_REQUEST : Step.LINGER;
        if (request.keepAlive() && !socket.hasInput()) {
            socket.awaitClient(SelectionKey.OP_READ);
        } else { // first it is the others' turn: this client may have sent a hundred requests
            socket.pause();
            server.loop().execute(this::advance);
        }
    }

    /** Takes the next steps, until there is something to wait for. */
    final void advance() {
        try {
            switch (step) {
                case READ_REQUEST -> readRequest();
                case WRITE_HEADER -> continueHeader();
                case SEND_BODY -> sendBody();
                case LINGER -> socket.linger();
                case ASK, CLOSED -> {}
            }
        } catch (IOException e) { // the client has gone, or the file has ended before it should
            close();
        }
    }

    // ---- the steps ----

    private FileRequest file() {
        return FileRequest.ofBytes(request.path().getBytes(StandardCharsets.ISO_8859_1));
    }

    private void readRequest() throws IOException {
        HttpRequest next = socket.readRequest();
        if (next == null) {
            return;
        }
        request = next;
        if (request.refusal() != 0) {
            refuse(request.refusal());
        } else {
            step = Step.ASK;
            ask(file(), request.head() || request.range() != null);
        }
    }

    private void refuse(int status) {
        release();
        response = HttpResponse.of(status);
        writeHeader();
    }

    private void writeHeader() {
        header = ByteBuffer.wrap(response.header(request));
        step = Step.WRITE_HEADER;
        advance();
    }

    private void continueHeader() throws IOException {
        if (!socket.write(header)) {
            return;
        }
        if (response.hasBody(request)) {
            step = Step.SEND_BODY;
            sendBody();
        } else {
            finish();
        }
    }

    /** Hangs up, and cancels what is under way. Idempotent. */
    final void close() {
        if (step != Step.CLOSED) {
            step = Step.CLOSED;
            CompletableFuture<?> last = awaited;
            awaited = null;
            if (last != null) {
                last.cancel(true); // which tells the daemon; if it has answered already, this does nothing
            }
            release();
            socket.close();
            server.forget(this);
        }
    }
}
