package io.sendfiled.tools;

import io.sendfiled.config.SocketDirectories;
import io.sendfiled.jni.ClientNative;
import io.sendfiled.jni.PlacesNative;
import io.sendfiled.jni.PlacesNative.Place;
import io.sendfiled.jni.SuccessionNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A connection to a daemon's control socket, which only the daemon's user and root can make: one line asks, lines answer, the
 * last of which begins with {@code ok} or {@code error}. A daemon that says nothing is not waited for. One thread.
 */
final class ControlConnection implements Closeable {
    /** The daemon answers at once, and tells of what takes longer each second. */
    private static final Duration SILENCE = Duration.ofSeconds(10);

    private static final String OK = "ok";
    private static final String ERROR = "error ";

    private final SocketChannel channel;
    private final String instance;
    private final ByteBuffer bytes = ByteBuffer.allocate(4096).limit(0);

    private ControlConnection(SocketChannel channel, String instance) {
        this.channel = channel;
        this.instance = instance;
    }

    /** Connects to the daemon that the options name, wherever its socket is. */
    static ControlConnection open(Arguments arguments) throws SfdException, InterruptedException {
        String instance = arguments.instance();
        IOException refusal = null;
        for (Path path : places(arguments)) {
            try {
                // A full backlog waits.
                SocketChannel channel =
                        Deadline.after(SILENCE).open(() -> SocketChannel.open(UnixDomainSocketAddress.of(path)));
                channel.configureBlocking(false);
                return new ControlConnection(channel, instance);
            } catch (IOException | IllegalArgumentException e) {
                int errno = e instanceof IOException failure ? Errno.of(failure) : Errno.ENAMETOOLONG;
                if (refusal == null || errno != Errno.ENOENT) {
                    refusal = new NativeIoException(Names.printable(path), errno == 0 ? Errno.EIO : errno);
                }
            }
        }
        throw unreachable(instance, refusal);
    }

    /** The uid and gid of the daemon, without a sign. */
    int[] ids() throws IOException {
        int[] ids = new int[2];
        Errno.check(SuccessionNative.peerIds(Descriptors.numberOf(channel), ids), instance);
        return ids;
    }

    private static List<Path> places(Arguments arguments) {
        String file = SocketDirectories.controlFile(arguments.instance());
        String directory = arguments.value(OptionSpec.SOCKET_DIRECTORY);
        List<Path> paths = new ArrayList<>();
        if (directory != null) {
            paths.add(Names.resolve(Names.path(directory), file));
            return paths;
        }
        for (Place place : PlacesNative.find(Names.bytes(arguments.instance()))) {
            Path parent = Names.path(place.path()).getParent();
            if (parent != null && place.error() != Errno.EPERM) { // who could have planted that one?
                paths.add(Names.resolve(parent, file));
            }
        }
        return paths;
    }

    private static SfdException unreachable(String instance, @Nullable IOException refusal) {
        String name = "'" + SfdException.printable(instance) + "'";
        int errno = refusal == null ? Errno.ENOENT : Errno.of(refusal);
        String reason = refusal == null ? "" : ": " + refusal.getMessage();
        if (errno == Errno.EACCES) {
            return new SfdException(
                    "only the user of the daemon " + name + " and root may do that" + reason,
                    ExitCode.PERMISSION,
                    errno,
                    0,
                    refusal);
        }
        return new SfdException("no daemon " + name + " listens" + reason, ExitCode.UNREACHABLE, errno, 0, refusal);
    }

    /** Sends the line that asks. */
    void send(String line) throws SfdException {
        ByteBuffer out = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
        try {
            int count = channel.write(out);
            if (out.hasRemaining()) { // it is less than any socket's buffer
                throw new IOException("wrote " + count + " bytes of a line");
            }
        } catch (IOException e) {
            throw SfdException.of(instance, e);
        }
    }

    /**
     * The next line of the answer; null at the end.
     *
     * @throws SfdException what {@code error} says; or that the daemon does not answer
     */
    @Nullable
    String line() throws SfdException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        while (true) {
            while (bytes.hasRemaining()) {
                byte b = bytes.get();
                if (b == '\n') {
                    return checked(line.toString(StandardCharsets.UTF_8));
                }
                line.write(b);
            }
            if (!fill()) {
                return null;
            }
        }
    }

    private boolean fill() throws SfdException {
        long begin = System.nanoTime();
        try {
            while (true) {
                int count = channel.read(bytes.clear());
                bytes.flip();
                if (count != 0) {
                    return count > 0;
                }
                long leftMs = SILENCE.toMillis() - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
                if (leftMs <= 0) {
                    throw new SfdException(
                            "the daemon '" + SfdException.printable(instance) + "' does not answer",
                            ExitCode.TIMEOUT,
                            Errno.ETIMEDOUT,
                            0,
                            null);
                }
                Errno.check(ClientNative.waitReadable(Descriptors.numberOf(channel), (int) leftMs), "wait");
            }
        } catch (IOException e) {
            bytes.limit(0);
            return false; // reset: it has ended
        }
    }

    private static String checked(String line) throws SfdException {
        if (!line.startsWith(ERROR)) {
            return line;
        }
        String[] words = line.split(" ", 3);
        int errno = Errno.EIO;
        try {
            errno = Integer.parseInt(words[1]);
        } catch (NumberFormatException e) {
            // The text tells all the same.
        }
        String text = words.length < 3 ? Errno.message(errno) : words[2];
        throw new SfdException(SfdException.printable(text), ExitCode.of(errno, 0), errno, 0, null);
    }

    /** The words after {@code ok}, of an answer that is one line; what comes before it is left out. */
    String answer() throws SfdException {
        for (String line = line(); line != null; line = line()) {
            if (isOk(line)) {
                return line.substring(OK.length()).strip();
            }
        }
        throw ended(instance);
    }

    static boolean isOk(String line) {
        return line.equals(OK) || line.startsWith(OK + " ");
    }

    /** It has ended without an answer. */
    static SfdException ended(String instance) {
        return new SfdException(
                "the daemon '" + SfdException.printable(instance) + "' has ended without an answer",
                ExitCode.FAILED,
                Errno.ECONNABORTED,
                0,
                null);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
