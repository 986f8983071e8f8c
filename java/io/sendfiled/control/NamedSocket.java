package io.sendfiled.control;

import io.sendfiled.jni.ProcessNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;

/**
 * A stream socket with a name in a directory, that listens; of mode 0600 from its first moment, and then of the one that is
 * asked for. It removes the name only if it is still its own.
 *
 * <p>Opened before the sandbox is closed; closed by any thread.
 */
public final class NamedSocket implements AutoCloseable {
    /** Of a socket's address (unix(7)), without the NUL. */
    private static final int PATH_MAX = 107;

    private static final int BACKLOG = 16;
    private static final int FILE_TYPE = 0170000;
    private static final int SOCKET = 0140000;
    private static final String IDENTITY = "unix:dev,ino";

    private Path path;
    private final ServerSocketChannel channel;
    private final Map<String, Object> identity;

    private NamedSocket(Path path, ServerSocketChannel channel, Map<String, Object> identity) {
        this.path = path;
        this.channel = channel;
        this.identity = identity;
    }

    /**
     * Makes it in the place of a socket that is there, which the caller knows to be nobody's.
     *
     * @param mode as {@code rw-------}
     * @param shorter what can be chosen so that the path is shorter, for a message
     * @throws NativeIoException with ENAMETOOLONG if the path is too long for a socket, EEXIST if something else has the
     *     name
     * @throws IOException if it cannot be made for another reason
     */
    public static NamedSocket open(Path path, String mode, String shorter) throws IOException {
        int length = Names.bytes(path).length;
        if (length > PATH_MAX) {
            throw new NativeIoException(
                    Names.printable(path) + " has " + length + " bytes, and a socket's path has " + PATH_MAX
                            + " at most (" + shorter + ")",
                    Errno.ENAMETOOLONG);
        }
        if (isSocket(path)) {
            Files.deleteIfExists(path);
        }
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        boolean ready = false;
        try {
            // bind(2) makes the name with the mode of the socket's inode, less the umask.
            Errno.check(ProcessNative.closeToOthers(Descriptors.numberOf(channel)), "fchmod");
            channel.bind(UnixDomainSocketAddress.of(path), BACKLOG);
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode)); // a umask such as 0277
            channel.configureBlocking(false);
            NamedSocket socket = new NamedSocket(path, channel, identity(path));
            ready = true;
            return socket;
        } finally {
            if (!ready) {
                channel.close();
            }
        }
    }

    /**
     * Whether a socket has the name, and not nothing.
     *
     * @throws NativeIoException with EEXIST if something else has it
     */
    public static boolean isSocket(Path path) throws IOException {
        Object mode;
        try {
            mode = Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException e) {
            return false;
        }
        if (((Integer) mode & FILE_TYPE) != SOCKET) {
            throw new NativeIoException(Names.printable(path) + " is no socket", Errno.EEXIST);
        }
        return true;
    }

    private static Map<String, Object> identity(Path path) throws IOException {
        return Files.readAttributes(path, IDENTITY, LinkOption.NOFOLLOW_LINKS);
    }

    /** From here on it has this name in the same directory, and no other has it. */
    public void takeName(Path known) throws IOException {
        Files.move(path, known, StandardCopyOption.ATOMIC_MOVE);
        path = known;
    }

    /** It does not block. */
    public ServerSocketChannel channel() {
        return channel;
    }

    /** Removes the name, if it is still this socket's, and closes. Idempotent. */
    @Override
    public void close() throws IOException {
        try {
            if (channel.isOpen() && identity(path).equals(identity)) {
                Files.delete(path);
            }
        } catch (NoSuchFileException e) {
            // Somebody has removed it, or all of the directory.
        } finally {
            channel.close();
        }
    }
}
