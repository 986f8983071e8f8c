package io.sendfiled.client;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.transport.Log;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/** {@code /dev/null}, which is opened once and kept. Thread-safe. */
final class NullDevice implements Destination, Closeable {
    private @Nullable FileChannel device; // this and the next: under this
    private boolean closed;

    @Override
    public OwnedFd duplicate() throws IOException {
        return Descriptors.duplicate(channel());
    }

    /** The device, open for writing; it stays this object's. */
    synchronized FileChannel channel() throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        FileChannel open = device;
        if (open == null) {
            open = FileChannel.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
            device = open;
        }
        return open;
    }

    @Override
    public synchronized void close() {
        closed = true;
        try {
            if (device != null) {
                device.close();
            }
        } catch (IOException e) {
            Log.warning("cannot close /dev/null", e);
        }
    }
}
