package io.sendfiled.client;

import io.sendfiled.hot.HotFile;
import io.sendfiled.hot.HotRoot;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.transport.Transport;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * Sends in the caller's thread what is in memory, and hands only the rest to the engine: in its descriptor, so that both are of
 * one file. Never waits.
 *
 * <p>What fails here before a byte was sent is left to the engine, which says what it is: another user, with other rights, may
 * run it. Owns a descriptor for each root. Thread-safe.
 */
final class HotPath implements Closeable {
    /** Bytes that one call sends at most: the caller may be an event loop, with other connections. */
    static final int MOST = 1 << 20;

    private final HotRoot first;
    private final Map<String, HotRoot> named = new HashMap<>();

    /** @throws IOException if a root cannot be opened */
    HotPath(Path root, Map<String, Path> others) throws IOException {
        first = HotRoot.open(root);
        try {
            for (Map.Entry<String, Path> other : others.entrySet()) {
                named.put(other.getKey(), HotRoot.open(other.getValue()));
            }
        } catch (Throwable t) {
            close();
            throw t;
        }
    }

    /** Whether only the engine can do what a request asks for. */
    private static boolean needsEngine(FileRequest request) {
        return request.source() != null
                || !request.segments().isEmpty()
                || !request.options().equals(TransferOptions.DEFAULT);
    }

    /** Sends what it can, and submits the rest. Takes the destination. */
    void send(SendExchange exchange, OwnedFd destination, Transport transport) {
        FileRequest request = exchange.request();
        long[] moved = new long[2];
        OwnedFd source = null;
        long rest = 0;
        HotRoot root = request.root() == null ? first : named.get(request.root());
        if (root != null && !needsEngine(request)) {
            try (HotFile file = root.open(request.path())) {
                long length = file == null ? -1 : lengthOf(request, file);
                if (file != null && length >= 0) {
                    var unused = file.send(destination.fd(), 0, 0, request.offset(), Math.min(length, MOST), moved);
                    rest = length - moved[1];
                    if (rest == 0) {
                        SendfiledClient.close(destination);
                        exchange.completeHot(infoOf(file, length));
                        return;
                    }
                    source = moved[1] == 0 && !transport.isExtended() ? null : file.duplicate();
                }
            } catch (IOException e) {
                if (moved[1] > 0) {
                    SendfiledClient.close(destination);
                    exchange.failHot(moved[1], e);
                    return;
                }
            }
        }
        exchange.beginAfter(moved[1]);
        transport.submit(
                exchange,
                Wire.SEND_FILE,
                source == null ? request.toTransport(exchange.isExtended()) : request.restToTransport(moved[1], rest),
                destination,
                source);
    }

    /** The bytes of the range; -1 if it is not inside the file. */
    private static long lengthOf(FileRequest request, HotFile file) {
        long most = file.size() - request.offset();
        long length = request.length() == FileRequest.TO_END ? most : request.length();
        return length <= most ? length : -1;
    }

    private static FileInfo infoOf(HotFile file, long length) {
        return new FileInfo(length, file.modified(), file.modified(), file.modified());
    }

    @Override
    public void close() {
        first.close();
        named.values().forEach(HotRoot::close);
    }
}
