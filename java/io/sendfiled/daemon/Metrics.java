package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import io.sendfiled.counters.Counters;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.metrics.MetricsServer;
import io.sendfiled.metrics.MetricsSocket;
import io.sendfiled.metrics.MetricsText;
import io.sendfiled.sys.Errno;
import io.sendfiled.units.LocalAddress;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The metrics of the program, from the socket, which is made before the sandbox, to its end. Who has none loads nothing of
 * what they need.
 *
 * <p>Main thread.
 */
final class Metrics implements AutoCloseable {
    private final LocalAddress address;
    private final MetricsSocket socket;
    private @Nullable MetricsServer server;

    private Metrics(LocalAddress address, MetricsSocket socket) {
        this.address = address;
        this.socket = socket;
    }

    /**
     * Makes the socket; nobody is answered yet. Null: there is none.
     *
     * @param takesOver whether another process serves, and leaves the address to this one
     */
    static @Nullable Metrics open(ProgramConfig settings, boolean takesOver) throws StartException {
        LocalAddress address = settings.metrics();
        if (address == null) {
            return null;
        }
        String label = settings.label(Setting.METRICS) + ": ";
        try {
            MetricsText.load();
            return new Metrics(address, MetricsSocket.open(address, takesOver));
        } catch (NoClassDefFoundError e) {
            throw new StartException(
                    Errno.ENOENT,
                    label + "needs prometheus-metrics-*.jar beside the jar of this program, and there is none: "
                            + e.getMessage(),
                    e);
        } catch (IOException e) {
            throw new StartException(Errno.of(e), label + address + ": " + e.getMessage(), e);
        }
    }

    /** Of its socket; null: it has a port. */
    @Nullable
    Path path() {
        return address.isPath() ? MetricsSocket.path(address) : null;
    }

    /** From here on who asks is answered. */
    void start(Counters counters) {
        server = new MetricsServer(
                socket, MetricsText.CONTENT_TYPE, () -> MetricsText.of(counters.read(), NativeLibrary.version()));
        server.start();
    }

    /** The process before this one is no more asked. */
    void takeName() throws IOException {
        socket.takeName();
    }

    /** Idempotent. */
    @Override
    public void close() throws IOException {
        if (server != null) {
            server.close();
        } else {
            socket.close();
        }
    }
}
