package io.sendfiled.client;

/** Is told how far a transfer has come. */
@FunctionalInterface
public interface ProgressListener {
    /**
     * Some more bytes were moved. Called on the client's thread: it must not block.
     *
     * @param bytesMoved the bytes moved since the beginning
     * @param totalBytes the bytes that the transfer is going to move
     */
    void onProgress(long bytesMoved, long totalBytes);
}
