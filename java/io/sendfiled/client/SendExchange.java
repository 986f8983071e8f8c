package io.sendfiled.client;

/** Send File: everything that comes on the status channel is a message. */
final class SendExchange extends Exchange {
    /** @param operation {@link Operation#SEND}, or {@link Operation#SEND_OPEN} of a file that this process has open */
    SendExchange(Operation operation, FileRequest request, SendfiledClient client) {
        super(operation, request, client);
    }

    @Override
    boolean onFileInfo(FileInfo value) {
        return true;
    }
}
