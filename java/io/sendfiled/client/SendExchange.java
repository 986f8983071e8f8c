package io.sendfiled.client;

import java.nio.channels.Pipe;
import org.jspecify.annotations.Nullable;

/** Send File: everything that comes on the status channel is a message. */
final class SendExchange extends Exchange {
    SendExchange(
            FileRequest request, Pipe.@Nullable SourceChannel source, StatusWatcher watcher, RequestSender sender) {
        super(Operation.SEND, request, source, watcher, sender);
    }

    @Override
    boolean onFileInfo(FileInfo value) {
        return true;
    }
}
