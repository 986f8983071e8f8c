package io.sendfiled.control;

import io.sendfiled.config.SocketDirectories;
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
 * {@code SOCKDIR/sendfiled.NAME.control}: a stream socket of mode 0600 from its first moment, so that only the daemon's user
 * and root can connect.
 *
 * <p>The caller is the one instance of that name from {@link #open} to {@link #close}: what is there under the name is left
 * of a killed one. Opened before the sandbox is closed; closed by any thread.
 */
public final class ControlSocket implements AutoCloseable {
    /** Of a socket's address (unix(7)), without the NUL. */
    private static final int PATH_MAX = 107;

    private static final int BACKLOG = 16;
    private static final int FILE_TYPE = 0170000;
    private static final int SOCKET = 0140000;
    private static final String IDENTITY = "unix:dev,ino";

    private Path path;
    private final ServerSocketChannel channel;
    private final Map<String, Object> identity;

    private ControlSocket(Path path, ServerSocketChannel channel, Map<String, Object> identity) {
        this.path = path;
        this.channel = channel;
        this.identity = identity;
    }

    /**
     * Makes it.
     *
     * @throws NativeIoException with ENAMETOOLONG if the path is too long for a socket, EEXIST if something else has the
     *     name
     * @throws IOException if it cannot be made for another reason
     */
    public static ControlSocket open(Path directory, String name) throws IOException {
        return openAt(Names.absolute(Names.resolve(directory, SocketDirectories.controlFile(name))));
    }

    /**
     * The same by a name that nobody knows, beside that of a process which has it, and whose place this one takes: {@link
     * #takeName}.
     */
    public static ControlSocket openBeside(Path directory, String name) throws IOException {
        return openAt(Names.absolute(Names.resolve(directory, "." + SocketDirectories.controlFile(name))));
    }

    /** From here on it has the name that all know, and no other has it. */
    public void takeName(Path directory, String name) throws IOException {
        Path known = Names.absolute(Names.resolve(directory, SocketDirectories.controlFile(name)));
        Files.move(path, known, StandardCopyOption.ATOMIC_MOVE);
        path = known;
    }

    private static ControlSocket openAt(Path path) throws IOException {
        int length = Names.bytes(path).length;
        if (length > PATH_MAX) {
            throw new NativeIoException(
                    Names.printable(path) + " has " + length + " bytes, and a socket's path has " + PATH_MAX
                            + " at most (a shorter --socket-dir or --name)",
                    Errno.ENAMETOOLONG);
        }
        removeStale(path);
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        boolean ready = false;
        try {
            // bind(2) makes the name with the mode of the socket's inode, less the umask.
            Errno.check(ProcessNative.closeToOthers(Descriptors.numberOf(channel)), "fchmod");
            channel.bind(UnixDomainSocketAddress.of(path), BACKLOG);
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------")); // a umask such as 0277
            channel.configureBlocking(false);
            ControlSocket socket = new ControlSocket(path, channel, identity(path));
            ready = true;
            return socket;
        } finally {
            if (!ready) {
                channel.close();
            }
        }
    }

    private static void removeStale(Path path) throws IOException {
        Object mode;
        try {
            mode = Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException e) {
            return;
        }
        if (((Integer) mode & FILE_TYPE) != SOCKET) {
            throw new NativeIoException(Names.printable(path) + " is no socket", Errno.EEXIST);
        }
        Files.deleteIfExists(path);
    }

    private static Map<String, Object> identity(Path path) throws IOException {
        return Files.readAttributes(path, IDENTITY, LinkOption.NOFOLLOW_LINKS);
    }

    ServerSocketChannel channel() {
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
