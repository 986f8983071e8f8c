package io.sendfiled.client;

/** Send File: everything that comes on the status channel is a message. */
final class SendExchange extends Exchange {
    SendExchange(FileRequest request, SendfiledClient client) {
        super(Operation.SEND, request, client);
    }

    @Override
    boolean onFileInfo(FileInfo value) {
        return true;
    }
}
