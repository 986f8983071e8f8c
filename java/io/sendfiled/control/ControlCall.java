package io.sendfiled.control;

import io.sendfiled.jni.ClientNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** One call of a command: its arguments, and its peer. The thread that runs the command; borrows the connection. */
public final class ControlCall {
    /** For how long a peer may leave unread what it has asked for, in all. */
    private static final long UNREAD_NS = TimeUnit.SECONDS.toNanos(10);

    private final SocketChannel peer;
    private final List<String> arguments;
    private long unreadNs;
    private volatile boolean watching;
    private @Nullable Runnable answered;

    ControlCall(SocketChannel peer, List<String> arguments) {
        this.peer = peer;
        this.arguments = arguments;
    }

    /** The words after the command. */
    public List<String> arguments() {
        return arguments;
    }

    /** The only word after the command, or what stands for none. */
    public String argument(String none) throws ControlException {
        if (arguments.size() > 1) {
            throw new ControlException(Errno.EINVAL, "one argument at most");
        }
        return arguments.isEmpty() ? none : arguments.get(0);
    }

    /**
     * The connection's descriptor, borrowed, in non-blocking mode: for what text cannot say.
     *
     * @throws IOException if this JDK does not tell
     */
    public int fd() throws IOException {
        return Descriptors.numberOf(peer);
    }

    /**
     * From here on this call only tells how something goes on: when there are too many connections, it is given up for
     * another one.
     */
    public void watches() {
        watching = true;
    }

    /**
     * After the answer the connection stays, and its end tells the peer that the process has ended.
     *
     * @param whenAnswered runs when the answer is sent, or cannot be
     */
    public void keep(Runnable whenAnswered) {
        answered = whenAnswered;
    }

    /** The answer is sent, or cannot be. Gives whether the connection stays. */
    boolean finish() {
        Runnable then = answered;
        if (then != null) {
            then.run();
        }
        return then != null;
    }

    boolean isWatching() {
        return watching;
    }

    /**
     * Sends a line before the last. Waits for a peer that does not read, for 10 seconds in all lines of a call.
     *
     * @throws IOException if the peer is gone, or has not read
     */
    public void line(String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap((Names.printable(text) + "\n").getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            if (peer.write(bytes) == 0) {
                awaitRoom();
            }
        }
    }

    private void awaitRoom() throws IOException {
        long begin = System.nanoTime();
        int leftMs = (int) TimeUnit.NANOSECONDS.toMillis(UNREAD_NS - unreadNs);
        int result = leftMs <= 0 ? 0 : ClientNative.waitWritable(fd(), leftMs);
        unreadNs += System.nanoTime() - begin;
        if (Errno.check(result, "wait for a control connection") == 0) {
            throw new NativeIoException("write to a control connection", Errno.ETIMEDOUT);
        }
    }
}
