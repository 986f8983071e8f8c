package io.sendfiled.client;

/** Receives the progress of a transfer. */
@FunctionalInterface
public interface ProgressListener {
    /**
     * More bytes were moved. Called by one thread at a time, in order; while it waits, no other event of this transfer is
     * told. What it throws is logged, and changes nothing.
     *
     * @param bytesMoved the bytes moved since the beginning
     * @param totalBytes the bytes that the transfer will move
     */
    void onProgress(long bytesMoved, long totalBytes);
}
