package io.sendfiled.daemon;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.jni.ServiceNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.ByteArrayOutputStream;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The request socket, where the service manager has bound it and passes it: the protocol of sd_listen_fds(3). Clients can
 * send before the daemon runs, and while it is started anew; the socket tells the directory, so that no option has to.
 *
 * <p>Main thread, at the start. The descriptor becomes the engine's.
 */
final class PassedSocket {
    private static final String COUNT = "LISTEN_FDS";
    private static final String PID = "LISTEN_PID";
    private static final String NAMES = "LISTEN_FDNAMES";
    private static final int WITHOUT_CREDENTIALS = 1;

    private final int fd;
    private final Path path;

    private PassedSocket(int fd, Path path) {
        this.fd = fd;
        this.path = path;
    }

    /**
     * The socket that was passed to this very process; null when there is none.
     *
     * @param complain is told what does not prevent the start
     * @throws StartException when what was passed is something else
     */
    static @Nullable PassedSocket of(Map<String, String> environment, Consumer<String> complain) throws StartException {
        String count = environment.getOrDefault(COUNT, "");
        String pid = environment.getOrDefault(PID, "");
        if (count.isEmpty()
                || count.equals("0")
                || !pid.equals(Long.toString(ProcessHandle.current().pid()))) {
            return null; // none, or those of a process that has started this one
        }
        if (!count.equals("1")) {
            throw fault(
                    Errno.EINVAL,
                    Names.printable(count) + " sockets are passed ("
                            + Names.printable(environment.getOrDefault(NAMES, ""))
                            + "), but there is one request socket");
        }
        ByteArrayOutputStream path = new ByteArrayOutputStream();
        int result = ServiceNative.socket(ServiceNative.SOCKET_FD, path);
        if (result < 0) {
            throw fault(-result, "descriptor " + ServiceNative.SOCKET_FD + " " + reason(-result));
        }
        if (result == WITHOUT_CREDENTIALS) {
            complain.accept(COUNT + ": requests that were sent before the start have no credentials, and are refused:"
                    + " the .socket unit lacks PassCredentials=yes");
        }
        return new PassedSocket(ServiceNative.SOCKET_FD, Names.path(path.toByteArray()));
    }

    private static String reason(int errno) {
        return switch (errno) {
            case Errno.EBADF -> "is not open: the service manager's sockets were closed on the way";
            case Errno.ENOTSOCK -> "is no socket";
            case Errno.EAFNOSUPPORT -> "is no UNIX socket: the .socket unit needs ListenDatagram=/PATH";
            case Errno.EPROTOTYPE -> "is a socket for streams: the .socket unit needs ListenDatagram=, and no other";
            case Errno.EADDRNOTAVAIL -> "is a socket without a path: the .socket unit needs ListenDatagram=/PATH";
            default -> "cannot be used: " + Errno.describe(errno);
        };
    }

    private static StartException fault(int errno, String what) {
        return new StartException(errno, COUNT + ": " + what);
    }

    /** The descriptor, which the engine takes. */
    int fd() {
        return fd;
    }

    /** The directory that the socket is in. */
    Path directory() {
        Path parent = path.getParent();
        return parent == null ? path : parent;
    }

    /** Refuses what would have the socket lost: it is this process's, and at the number of --sync. */
    void demandForeground(ProgramConfig settings) throws StartException {
        for (Setting setting : new Setting[] {Setting.DAEMONIZE, Setting.SYNC_PARENT}) {
            if (settings.isSet(setting)
                    && (setting == Setting.DAEMONIZE ? settings.daemonize() : settings.syncParent())) {
                throw new StartException(
                        Errno.EINVAL,
                        settings.label(setting) + ": not together with a socket that a service manager passes at"
                                + " descriptor " + ServiceNative.SOCKET_FD
                                + ", and which waits for this process itself");
            }
        }
    }

    /** Refuses a socket that clients of this instance would not find. */
    void demandPathOf(SendfiledConfig config) throws StartException {
        if (!path.equals(config.socketPath())) {
            throw fault(
                    Errno.EINVAL,
                    "the socket that is passed is " + Names.printable(path) + ", but that of instance '"
                            + Names.printable(config.name()) + "' is " + Names.printable(config.socketPath())
                            + ": change ListenDatagram= of the .socket unit, or --name and --socket-dir");
        }
    }
}
