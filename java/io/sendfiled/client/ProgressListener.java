package io.sendfiled.client;

/** Receives the progress of a transfer. */
@FunctionalInterface
public interface ProgressListener {
    /**
     * More bytes were moved. Called on the client's thread: it must not block.
     *
     * @param bytesMoved the bytes moved since the beginning
     * @param totalBytes the bytes that the transfer will move
     */
    void onProgress(long bytesMoved, long totalBytes);
}
