package io.sendfiled.control;

import io.sendfiled.config.SocketDirectories;
import io.sendfiled.names.Names;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;

/**
 * {@code SOCKDIR/sendfiled.NAME.control}: a stream socket of mode 0600 from its first moment, so that only the daemon's user
 * and root can connect.
 *
 * <p>The caller is the one instance of that name from {@link #open} to {@link #close}: what is there under the name is left
 * of a killed one. Opened before the sandbox is closed; closed by any thread.
 */
public final class ControlSocket implements Closeable {
    private static final String MODE = "rw-------";

    private final NamedSocket socket;

    private ControlSocket(NamedSocket socket) {
        this.socket = socket;
    }

    /**
     * Makes it.
     *
     * @throws io.sendfiled.sys.NativeIoException with ENAMETOOLONG if the path is too long for a socket, EEXIST if something
     *     else has the name
     * @throws IOException if it cannot be made for another reason
     */
    public static ControlSocket open(Path directory, String name) throws IOException {
        return openAt(directory, SocketDirectories.controlFile(name));
    }

    /**
     * The same by a name that nobody knows, beside that of a process which has it, and whose place this one takes: {@link
     * #takeName}.
     */
    public static ControlSocket openBeside(Path directory, String name) throws IOException {
        return openAt(directory, "." + SocketDirectories.controlFile(name));
    }

    private static ControlSocket openAt(Path directory, String file) throws IOException {
        Path path = Names.absolute(Names.resolve(directory, file));
        return new ControlSocket(NamedSocket.open(path, MODE, "a shorter --socket-dir or --name"));
    }

    /** From here on it has the name that all know, and no other has it. */
    public void takeName(Path directory, String name) throws IOException {
        socket.takeName(Names.absolute(Names.resolve(directory, SocketDirectories.controlFile(name))));
    }

    ServerSocketChannel channel() {
        return socket.channel();
    }

    /** Removes the name, if it is still this socket's, and closes. Idempotent. */
    @Override
    public void close() throws IOException {
        socket.close();
    }
}
