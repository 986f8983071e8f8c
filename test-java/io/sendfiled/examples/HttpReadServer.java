package io.sendfiled.examples;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Objects;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * An HTTP/1.1 server for files which never touches a disk. As {@link HttpOpenServer}, but the bytes come here.
 *
 * <p>Each request is a {@code read}: its information makes the header, and its content is a pipe, which is watched by the
 * same selector as the clients. What comes from there goes through a buffer to the client's socket. That costs two system
 * calls for every 64 KiB, and is the way for a server that has to look at, change, count or limit what it sends.
 *
 * <p>One thread, which never blocks.
 */
public final class HttpReadServer extends HttpConnection {
    private static final int BUFFER_SIZE = 64 << 10; // as much as a pipe has
    private static final int TURN = 256 << 10;

    /** Of the loop's thread: a connection has one only while it has a body to send. */
    private static final Queue<ByteBuffer> BUFFERS = new ArrayDeque<>();

    private @Nullable FileContent content;
    private @Nullable SelectionKey pipe;
    private @Nullable ByteBuffer buffer; // what was read, and not written yet

    private HttpReadServer(HttpServer server, SocketChannel channel) throws IOException {
        super(server, channel);
    }

    @Override
    void ask(FileRequest request, boolean infoOnly) {
        if (infoOnly) { // for a HEAD, or to judge a range by the file's size: an open, of which no bytes come
            await(server.client().open(request), this::onOpened, OpenFile::close);
        } else {
            await(server.client().read(request).content(), this::onContent, FileContent::close);
        }
    }

    private void onOpened(OpenFile opened) {
        opened.close();
        answer(opened.info());
    }

    private void onContent(FileContent bytes) {
        content = bytes;
        answer(bytes.info());
    }

    @Override
    void sendBody() throws IOException {
        if (pipe == null) {
            FileContent bytes = Objects.requireNonNull(content).configureBlocking(false);
            pipe = server.loop().register(bytes.selectable(), 0, this::onPipeReady);
            ByteBuffer free = BUFFERS.poll();
            buffer = (free != null ? free : ByteBuffer.allocateDirect(BUFFER_SIZE))
                    .clear()
                    .limit(0);
        }
        copy(Objects.requireNonNull(content), Objects.requireNonNull(buffer), pipe);
    }

    private void onPipeReady() {
        Objects.requireNonNull(pipe).interestOps(0);
        advance();
    }

    /** At most TURN bytes: a client that is as quick as the daemon would keep this loop for itself. */
    private void copy(FileContent from, ByteBuffer bytes, SelectionKey readable) throws IOException {
        for (int done = 0; done < TURN; done += bytes.limit()) {
            if (!bytes.hasRemaining()) {
                int count = from.read(bytes.clear());
                bytes.flip();
                if (count < 0) {
                    finish();
                    return;
                }
                if (count == 0) {
                    readable.interestOps(SelectionKey.OP_READ);
                    socket.awaitDaemon();
                    return;
                }
            }
            if (!socket.write(bytes)) { // it is full, and waited for
                return;
            }
        }
        socket.awaitClient(SelectionKey.OP_WRITE); // which comes at once, after the others' turn
    }

    @Override
    void release() {
        if (content != null) {
            content.close(); // and with it goes the pipe's key
            content = null;
            pipe = null;
        }
        if (buffer != null) {
            BUFFERS.add(buffer);
            buffer = null;
        }
    }

    public static void main(String[] args) {
        HttpServer.main("HttpReadServer", args, HttpReadServer::new);
    }
}
