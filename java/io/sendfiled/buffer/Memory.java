package io.sendfiled.buffer;

import io.sendfiled.base.SystemLog;
import io.sendfiled.jni.BufferNative;
import io.sendfiled.sys.Errno;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link SharedBuffer} owns: the state that C works with, and the region where it is mapped. An object of its
 * own, so that a cleaner can free it. Its methods synchronize on it.
 */
final class Memory implements Runnable {
    private final ByteBuffer state;
    private @Nullable Region region; // since the first view

    /** Takes a state that has a buffer. */
    Memory(ByteBuffer state) {
        this.state = state;
    }

    synchronized boolean isOpen() {
        return BufferNative.fd(state) >= 0;
    }

    /** The state of a buffer that is open, for one call under the lock. */
    private ByteBuffer open() throws ClosedChannelException {
        if (!isOpen()) {
            throw new ClosedChannelException();
        }
        return state;
    }

    synchronized int fd() throws ClosedChannelException {
        return BufferNative.fd(open());
    }

    synchronized int seal() {
        return BufferNative.sealOf(state);
    }

    synchronized ByteBuffer view(long offset, int count) {
        if (!isOpen()) {
            throw new IllegalStateException("the buffer is closed");
        }
        if (BufferNative.address(state) == 0) { // it has no bytes
            return ByteBuffer.allocateDirect(0);
        }
        if (region == null) {
            region = new Region(state);
        }
        ByteBuffer view = region.view(offset, count);
        return BufferNative.sealOf(state) == BufferNative.UNSEALED ? view : view.asReadOnlyBuffer();
    }

    /** Ends all views, so that no write through them is possible any more. 0 or -errno. */
    private int revokeViews() {
        Region old = region;
        if (old != null && old.hasViews()) {
            int result = BufferNative.revoke(state);
            if (result < 0) {
                return result;
            }
            old.release();
        }
        region = null;
        return 0;
    }

    /** The same, unless the buffer is sealed: then no view can write, and the mapping does not change. */
    private int revokeUnlessSealed() throws ClosedChannelException {
        return BufferNative.sealOf(open()) == BufferNative.SEALED ? 0 : revokeViews();
    }

    /** 0 or -errno. */
    synchronized int addSeals() throws ClosedChannelException {
        int result = revokeUnlessSealed();
        return result < 0 ? result : BufferNative.seal(state);
    }

    /** 0 or -errno; sealed even if it was not sent. */
    synchronized int send(int socket) throws ClosedChannelException {
        int result = revokeUnlessSealed();
        return result < 0 ? result : BufferNative.send(state, socket);
    }

    /** 0, and it is closed, or -errno. */
    synchronized int move(int socket) throws ClosedChannelException {
        if (BufferNative.sealOf(open()) != BufferNative.UNSEALED) {
            return -Errno.EROFS;
        }
        int result = revokeViews();
        return result < 0 ? result : BufferNative.move(state, socket);
    }

    /** Frees it now; an access through an existing view fails from now on. Idempotent. */
    synchronized void close() {
        if (revokeViews() < 0) {
            leaveToViews();
        }
        BufferNative.free(state);
    }

    /** When no descriptor is free for revoking, or the owner did not close: the memory is freed with the last view. */
    private void leaveToViews() {
        Region held = region;
        if (held != null) {
            BufferNative.forgetMapping(state);
            held.release();
            region = null;
        }
    }

    /** Called by the cleaner: the owner was not closed. */
    @Override
    public void run() {
        long size = freeForgotten();
        if (size >= 0) {
            SystemLog.log(
                    "io.sendfiled.buffer",
                    System.Logger.Level.WARNING,
                    "a SharedBuffer of " + size + " bytes was not closed",
                    null);
        }
    }

    /** Its size; -1 if it was closed. */
    private synchronized long freeForgotten() {
        if (!isOpen()) {
            return -1;
        }
        long size = BufferNative.size(state);
        leaveToViews();
        BufferNative.free(state);
        return size;
    }
}
