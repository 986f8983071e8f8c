package io.sendfiled.control;

import io.sendfiled.base.SystemLog;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Serves the {@linkplain ControlSocket control socket}: one line is a request, the answer is lines, the last of which is {@code
 * ok ...} or {@code error ERRNO TEXT}; then the connection ends.
 *
 * <p>One thread accepts, reads and counts, and waits for no peer; each command runs on a thread of its own. Nobody holds it: a
 * peer that has not sent its line after 10 seconds is closed, and earlier, the longest silent one first, if others want to
 * connect and {@value #CONNECTIONS_MAX} are there.
 *
 * <p>Owns the socket, the connections and these threads, which are daemon threads: the process ends without them.
 */
public final class ControlServer extends SelectorServer {
    private static final int CONNECTIONS_MAX = 16;
    private static final int LINE_MAX = 4096;
    private static final long SILENCE_NS = TimeUnit.SECONDS.toNanos(10);

    private static final String LOG = "io.sendfiled.control";
    private static final byte NEWLINE = '\n';

    /** A peer: first it is read from by the server's thread, then its command's thread has it. */
    private static final class Peer {
        final SocketChannel channel;
        final ByteBuffer line = ByteBuffer.allocate(LINE_MAX);
        final long acceptedNs = System.nanoTime();

        @Nullable
        ControlCall call; // null: it has not sent its line

        Peer(SocketChannel channel) {
            this.channel = channel;
        }
    }

    private final ControlSocket socket;
    private final Map<String, ControlCommand> commands;
    private final Deque<Peer> peers = new ArrayDeque<>(); // the oldest first; guarded by itself

    /**
     * @param socket is taken
     * @param commands by the words that ask for them
     */
    public ControlServer(ControlSocket socket, Map<String, ControlCommand> commands) {
        super("sendfiled-control", LOG, "the control socket is", socket, socket.channel());
        this.socket = socket;
        this.commands = new TreeMap<>(commands);
    }

    @Override
    protected long leftNs() {
        Peer oldest = oldestSilent();
        return oldest == null ? Long.MAX_VALUE : SILENCE_NS - (System.nanoTime() - oldest.acceptedNs);
    }

    @Override
    protected void ready(SelectionKey key) {
        if (key.attachment() instanceof Peer peer) {
            read(peer);
        }
    }

    @Override
    protected void endLate() {
        for (Peer peer = oldestSilent(); peer != null && leftNs() <= 0; peer = oldestSilent()) {
            end(peer);
        }
    }

    private @Nullable Peer oldestSilent() {
        synchronized (peers) {
            for (Peer peer : peers) {
                if (peer.call == null) {
                    return peer;
                }
            }
        }
        return null;
    }

    private @Nullable Peer oldestWatching() {
        synchronized (peers) {
            for (Peer peer : peers) {
                if (peer.call != null && peer.call.isWatching()) {
                    return peer;
                }
            }
        }
        return null;
    }

    private int count() {
        synchronized (peers) {
            return peers.size();
        }
    }

    // ---- connections ----

    @Override
    protected void accepted(SocketChannel channel, Selector to) {
        Peer peer = new Peer(channel);
        try {
            channel.configureBlocking(false);
            if (!makeRoom()) {
                peer.call = new ControlCall(channel, List.of());
                peer.call.line(last(Errno.EBUSY, "there are " + CONNECTIONS_MAX + " connections that do something"));
                channel.close();
                return;
            }
            synchronized (peers) {
                peers.addLast(peer);
            }
            channel.register(to, SelectionKey.OP_READ, peer);
            read(peer); // what it has sent before it was accepted is never cut off by others
        } catch (IOException e) { // it is gone
            end(peer);
        }
    }

    private boolean makeRoom() {
        if (count() < CONNECTIONS_MAX) {
            return true;
        }
        Peer out = oldestSilent();
        if (out == null) {
            out = oldestWatching();
        }
        if (out == null) {
            return false;
        }
        end(out);
        return true;
    }

    private void read(Peer peer) {
        int count;
        try {
            count = peer.channel.read(peer.line);
        } catch (IOException e) {
            count = -1;
        }
        int end = newline(peer.line);
        if (end >= 0) {
            begin(peer, Arrays.copyOf(peer.line.array(), end));
        } else if (!peer.line.hasRemaining()) {
            begin(peer, null);
        } else if (count < 0) {
            end(peer);
        }
    }

    private static int newline(ByteBuffer line) {
        for (int i = 0; i < line.position(); i++) {
            if (line.get(i) == NEWLINE) {
                return i;
            }
        }
        return -1;
    }

    private void end(Peer peer) {
        synchronized (peers) {
            peers.remove(peer);
        }
        close(peer.channel);
    }

    // ---- commands ----

    /** Has a thread of its own run it. */
    private void begin(Peer peer, byte @Nullable [] line) {
        Selector from = selector();
        SelectionKey key = from == null ? null : peer.channel.keyFor(from);
        if (key != null) {
            key.cancel();
        }
        List<String> words = words(line);
        ControlCall call = new ControlCall(peer.channel, words.isEmpty() ? words : words.subList(1, words.size()));
        peer.call = call;
        Thread runner = new Thread(() -> answer(peer, call, words), "sendfiled-control-command");
        runner.setDaemon(true);
        try {
            runner.start();
        } catch (OutOfMemoryError e) { // no thread
            end(peer);
        }
    }

    /** Of a line that is none, none. */
    private static List<String> words(byte @Nullable [] line) {
        List<String> words = new ArrayList<>();
        for (String word : (line == null ? "" : Names.text(line)).split("[ \t\r]+")) {
            if (!word.isEmpty()) {
                words.add(word);
            }
        }
        return words;
    }

    private void answer(Peer peer, ControlCall call, List<String> words) {
        boolean stays = false;
        try {
            call.line(run(call, words));
            stays = true;
        } catch (IOException e) {
            // The peer is gone, does not read, or has been given up for another one.
        } finally {
            stays &= call.finish();
        }
        if (!stays) {
            end(peer);
        }
    }

    private String run(ControlCall call, List<String> words) throws IOException {
        ControlCommand command = words.isEmpty() ? null : commands.get(words.get(0));
        try {
            if (command == null) {
                throw new ControlException(
                        Errno.EINVAL, "no such command: one of " + String.join(", ", commands.keySet()));
            }
            String more = command.run(call);
            return more.isEmpty() ? "ok" : "ok " + more;
        } catch (ControlException e) {
            return last(e.errno(), e.getMessage());
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            SystemLog.log(LOG, System.Logger.Level.ERROR, "the command " + words.get(0) + " failed", e);
            return last(Errno.EIO, "it failed: " + e);
        }
    }

    private static String last(int errno, @Nullable String text) {
        return "error " + errno + " " + (text == null ? Errno.message(errno) : text);
    }

    /** As {@link ControlSocket#takeName}; before {@link #start}. */
    public void takeName(Path directory, String name) throws IOException {
        socket.takeName(directory, name);
    }
}
