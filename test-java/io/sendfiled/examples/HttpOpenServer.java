package io.sendfiled.examples;

import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An HTTP/1.1 server for files which never touches a disk, and none of the files' bytes either.
 *
 * <p>Each request is an {@code open}, which tells the size; then comes the header, which this program writes itself; then
 * the opened file is sent: the daemon writes the body straight into the client's socket. So a file on a disk that does not
 * answer keeps nobody waiting but who asked for it.
 *
 * <p>One thread, which never blocks. While the daemon has a socket, nothing is written to it here.
 */
public final class HttpOpenServer extends HttpConnection {
    private @Nullable OpenFile file;

    private HttpOpenServer(HttpServer server, SocketChannel channel) throws IOException {
        super(server, channel);
    }

    @Override
    void ask(FileRequest request, boolean infoOnly) {
        await(server.client().open(request), this::onOpened, OpenFile::close);
    }

    private void onOpened(OpenFile opened) {
        file = opened;
        answer(opened.info());
    }

    @Override
    void sendBody() {
        Destination destination = Destination.of(socket.channel());
        var result = Objects.requireNonNull(file).send(destination).result();
        await(result, complete -> finish(), complete -> {}); // complete: the socket has accepted every byte
    }

    @Override
    void release() {
        if (file != null) {
            file.close(); // which does nothing to one that is being sent: that ends with its result
            file = null;
        }
    }

    public static void main(String[] args) {
        HttpServer.main("HttpOpenServer", args, HttpOpenServer::new);
    }
}
