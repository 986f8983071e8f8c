package io.sendfiled.client;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.transport.Log;
import java.io.IOException;
import java.nio.channels.Pipe;
import org.jspecify.annotations.Nullable;

/**
 * The pipe through which the bytes of a read come that may also say why it has failed: nothing else is in it. It is made
 * together with the request.
 */
final class DataChannel implements Destination {
    private volatile Pipe.@Nullable SourceChannel source;

    /** Makes the pipe, and gives its write end away. */
    @Override
    public OwnedFd duplicate() throws IOException {
        Pipe pipe = Pipe.open();
        try (Pipe.SinkChannel sink = pipe.sink()) {
            source = pipe.source();
            Descriptors.setCloseOnExec(pipe.source());
            return Descriptors.duplicate(sink);
        } catch (Throwable t) { // no descriptor, or no memory
            close();
            throw t;
        }
    }

    /** Makes the pipe, and gives its write end away, in non-blocking mode. Needs no native library. */
    Pipe.SinkChannel openSink() throws IOException {
        Pipe pipe = Pipe.open();
        source = pipe.source();
        pipe.sink().configureBlocking(false);
        return pipe.sink();
    }

    /** The read end. */
    Pipe.SourceChannel source() {
        Pipe.SourceChannel made = source;
        if (made == null) {
            throw new IllegalStateException("no pipe was made");
        }
        return made;
    }

    /** Closes the read end, which wakes its reader, and ends the daemon's work. Idempotent. */
    void close() {
        Pipe.SourceChannel made = source;
        try {
            if (made != null) {
                made.close();
            }
        } catch (IOException e) {
            Log.warning("cannot close a data channel", e);
        }
    }
}
