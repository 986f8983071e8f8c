package io.sendfiled.system;

import io.sendfiled.support.ExtendedRequest;
import io.sendfiled.support.Outcome;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Info;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.sys.Descriptors;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * One extended transfer to a descriptor, asked for in one of the three ways that there are.
 *
 * <p>Owns the status channel.
 */
public final class Sending implements AutoCloseable {
    /** The ways to ask for one. */
    public enum Operation {
        SEND_FILE,
        OPEN_AND_SEND_FILE,
        SEND_DESCRIPTOR
    }

    private final Status status;
    private final @Nullable Info info; // if it was read already

    private Sending(Status status, @Nullable Info info) {
        this.status = status;
        this.info = info;
    }

    /**
     * Asks for one. When this returns, the request is sent; an opened file was opened, which may have taken its time.
     *
     * @param options the path and all else; the command is the operation's
     * @param destination borrowed
     */
    public static Sending start(
            TestDaemon daemon, RawClient client, Operation operation, ExtendedRequest options, int destination)
            throws IOException {
        return switch (operation) {
            case SEND_FILE -> new Sending(client.request(options.as(ExtendedRequest.SEND_FILE), destination, -1), null);
            case OPEN_AND_SEND_FILE -> {
                Status status = client.request(options.as(ExtendedRequest.OPEN_FILE), -1, -1);
                Info info = status.info();
                client.sendOpenFile(info.id(), destination);
                yield new Sending(status, info);
            }
            case SEND_DESCRIPTOR -> {
                Path file = daemon.root().resolve(options.path());
                try (FileChannel source = FileChannel.open(file, StandardOpenOption.READ)) {
                    ExtendedRequest request = options.as(ExtendedRequest.SEND_DESCRIPTOR);
                    yield new Sending(client.request(request, destination, Descriptors.numberOf(source)), null);
                }
            }
        };
    }

    /** Waits for its end, which is that of the status channel. */
    public Outcome await() throws IOException {
        return info == null ? Outcome.ofSend(status) : Outcome.ofRest(status);
    }

    public Status status() {
        return status;
    }

    @Override
    public void close() throws IOException {
        status.close();
    }
}
