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
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Sends in the caller's thread what is in memory of a file in a root, or of one that is open already and on the disk of a root, and hands only the rest to the engine: in its descriptor, so that both are of
 * one file. Never waits.
 *
 * <p>What fails here before a byte was sent is left to the engine, which says what it is: another user, with other rights, may
 * run it. Owns a descriptor for each root, and one for each file that was opened and not sent yet. Thread-safe.
 */
final class HotPath implements Closeable {
    /** Bytes that one call sends at most: the caller may be an event loop, with other connections. */
    static final int MOST = 1 << 20;

    private final HotRoot first;
    private final Map<String, HotRoot> named = new HashMap<>();
    private final Set<HotOpened> opened = ConcurrentHashMap.newKeySet(); // neither sent nor closed yet
    private volatile boolean closed;

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
        return !request.segments().isEmpty() || !request.options().equals(TransferOptions.DEFAULT);
    }

    /**
     * Opens the file for the exchange, if that needs neither the engine nor a disk. False: nothing has happened. What the engine
     * would refuse is left to it.
     */
    boolean open(OpenExchange exchange) {
        FileRequest request = exchange.request();
        HotFile file = null;
        try {
            file = open(request);
            long length = file == null ? -1 : lengthOf(request, file);
            if (file == null || length < 0) {
                close(file);
                return false;
            }
            HotOpened held = new HotOpened(exchange, this, file);
            FileInfo info =
                    infoOf(file, length, new FileDetails(file.size(), file.inode(), file.device(), file.mode()));
            opened.add(held);
            if (closed) { // which may not have seen it
                held.discard();
            }
            exchange.onOpenedHot(held, info);
            return true;
        } catch (IOException e) {
            return false;
        } catch (Throwable t) { // no memory
            close(file);
            exchange.fail(t);
            return true;
        }
    }

    /** That was taken out by its owner. */
    void forget(HotOpened file) {
        opened.remove(file);
    }

    private static void close(@Nullable HotFile file) {
        if (file != null) {
            file.close();
        }
    }

    /** Null: only the engine can. */
    private @Nullable HotFile open(FileRequest request) throws IOException {
        HotRoot root = request.root() == null ? first : named.get(request.root());
        return root == null || needsEngine(request) ? null : root.open(request.path());
    }

    /** Null: only the engine can. Takes the descriptor when it returns a file. */
    private @Nullable HotFile adopt(FileRequest request, OwnedFd source) throws IOException {
        HotFile file = needsEngine(request) ? null : first.adopt(source);
        if (file == null && !needsEngine(request)) { // on another disk, perhaps
            for (HotRoot root : named.values()) {
                file = root.adopt(source);
                if (file != null) {
                    break;
                }
            }
        }
        return file;
    }

    /**
     * Sends what it can, and submits the rest. Takes the destination and the source.
     *
     * @param source the open file of the request; null: its path is opened
     */
    void send(SendExchange exchange, OwnedFd destination, @Nullable OwnedFd source, Transport transport)
            throws IOException {
        FileRequest request = exchange.request();
        OwnedFd from = source;
        HotFile found;
        try {
            found = source == null ? open(request) : adopt(request, source);
        } catch (IOException e) { // the engine says what it is
            found = null;
        }
        try (HotFile file = found) {
            if (file != null && lengthOf(request, file) >= 0) {
                send(exchange, file, source == null, destination, transport);
                return;
            }
            if (file != null && source != null) {
                from = file.duplicate();
            }
        }
        transport.submit(exchange, Wire.SEND_FILE, request.toTransport(exchange.isExtended()), destination, from);
    }

    /** The same of an open file, which the caller closes, and in which the range is. */
    void send(SendExchange exchange, HotFile file, OwnedFd destination, Transport transport) {
        send(exchange, file, false, destination, transport);
    }

    private static void send(
            SendExchange exchange, HotFile file, boolean hasPath, OwnedFd destination, Transport transport) {
        FileRequest request = exchange.request();
        long length = lengthOf(request, file);
        long[] moved = new long[2];
        OwnedFd source = null;
        boolean failed = false;
        try {
            try {
                var unused = file.send(destination.fd(), 0, 0, request.offset(), Math.min(length, MOST), moved);
            } catch (IOException e) {
                if (moved[1] > 0) {
                    throw e;
                }
                failed = true;
            }
            if (!failed && moved[1] == length) {
                SendfiledClient.close(destination);
                exchange.completeHot(infoOf(file, length, null));
                return;
            }
            boolean byPath = hasPath && moved[1] == 0 && (failed || !transport.isExtended());
            source = byPath ? null : file.duplicate();
        } catch (IOException e) {
            SendfiledClient.close(destination);
            exchange.failHot(moved[1], e);
            return;
        }
        exchange.beginAfter(moved[1]);
        transport.submit(
                exchange,
                Wire.SEND_FILE,
                source == null
                        ? request.toTransport(exchange.isExtended())
                        : request.restToTransport(moved[1], length - moved[1]),
                destination,
                source);
    }

    /** The bytes of the range; -1 if it is not inside the file. */
    private static long lengthOf(FileRequest request, HotFile file) {
        long most = file.size() - request.offset();
        long length = request.length() == FileRequest.TO_END ? most : request.length();
        return length <= most ? length : -1;
    }

    private static FileInfo infoOf(HotFile file, long length, @Nullable FileDetails details) {
        return new FileInfo(length, file.accessed(), file.modified(), file.changed(), details);
    }

    @Override
    public void close() {
        closed = true;
        opened.forEach(HotOpened::discard);
        first.close();
        named.values().forEach(HotRoot::close);
    }
}
