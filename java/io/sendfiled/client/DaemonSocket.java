package io.sendfiled.client;

import io.sendfiled.config.SocketDirectories;
import io.sendfiled.jni.ClientNative;
import io.sendfiled.jni.PlacesNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.nio.file.Path;

/** Connects a socket to a daemon's: the one in a given directory, or the first of that name that listens anywhere. */
final class DaemonSocket {
    private DaemonSocket() {}

    /**
     * Connects to the socket in that directory.
     *
     * @return the bytes of its path
     */
    static byte[] connectIn(Path directory, String name, OwnedFd socket) throws DaemonUnavailableException {
        byte[] path = Names.bytes(Names.resolve(directory, SocketDirectories.socketFile(name)));
        int result = ClientNative.connect(socket.fd(), path);
        if (result < 0) {
            boolean absent = result == -Errno.ENOENT || result == -Errno.ECONNREFUSED;
            throw new DaemonUnavailableException(
                    (absent ? "no daemon listens at " : "cannot connect to the daemon's socket ")
                            + Names.printable(Names.text(path)) + ": " + Errno.describe(-result),
                    -result);
        }
        return path;
    }

    /**
     * Connects to the first daemon of that name that listens.
     *
     * @return the bytes of its socket's path
     */
    static byte[] search(String name, OwnedFd socket) throws IOException {
        byte[][] found = new byte[1][];
        int result = PlacesNative.connect(socket.fd(), Names.bytes(name), found);
        if (result < 0) {
            if (result == -Errno.EINVAL) {
                throw new DaemonUnavailableException(
                        "no daemon has the name '" + Names.printable(name)
                                + "': it must not be empty, nor contain a slash or a NUL",
                        -result);
            }
            String searched = SocketDirectories.searched(name);
            if (searched.isEmpty()) {
                Errno.check(result, "look for the daemon '" + Names.printable(name) + "'");
            }
            String remedy = result == -Errno.EACCES
                    ? "its user must be this one, or allow this one"
                    : "start one, or say where it is (SENDFILED_SOCKET_DIR)";
            throw new DaemonUnavailableException(
                    "no daemon '" + Names.printable(name) + "' was found (" + searched + "): " + remedy, -result);
        }
        return found[0];
    }
}
