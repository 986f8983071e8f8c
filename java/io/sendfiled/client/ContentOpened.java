package io.sendfiled.client;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/** A file whose content has come in its place: nothing is open. */
final class ContentOpened implements Opened {
    private final FileRequest request;
    private final ByteBuffer content;
    private final AtomicBoolean used = new AtomicBoolean();

    /** @param content taken */
    ContentOpened(FileRequest request, byte[] content) {
        this.request = request;
        this.content = ByteBuffer.wrap(content).asReadOnlyBuffer();
    }

    @Override
    public FileRequest request() {
        return request;
    }

    @Override
    public ByteBuffer content() {
        return content.duplicate();
    }

    @Override
    public boolean use() {
        return used.compareAndSet(false, true);
    }

    @Override
    public Transfer send(Destination destination) {
        throw new IllegalStateException(request + " is not open: its content has come");
    }

    @Override
    public void discard() {}

    @Override
    public void onUnreachable() {}
}
