package io.sendfiled.client;

import io.sendfiled.buffer.BufferAccess;
import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.jni.BufferNative;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.OwnedFd;
import io.sendfiled.transport.Log;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The memory file that a Read File into a buffer fills. It is made together with the request. */
final class MemoryFile implements Destination {
    private final FileRequest request;
    private @Nullable OwnedFd file;

    MemoryFile(FileRequest request) {
        this.request = request;
    }

    /** Makes the file, and a duplicate for the daemon. */
    @Override
    public OwnedFd duplicate() throws IOException {
        OwnedFd own = OwnedFd.take(
                Errno.check(BufferNative.openFile(nameAndNul()), "make a memory file for " + request.path()));
        file = own;
        return Descriptors.duplicate(own);
    }

    /** It has the name of the file that will be in it: the part behind the last slash, shortened if too long. */
    private byte[] nameAndNul() {
        byte[] path = request.pathBytes();
        int begin = path.length;
        while (begin > 0 && path[begin - 1] != '/') {
            begin--;
        }
        byte[] name = new byte[Math.min(path.length - begin, BufferNative.MAX_NAME) + 1];
        System.arraycopy(path, begin, name, 0, name.length - 1);
        return name;
    }

    /** The buffer, which the daemon has filled and sealed. */
    SharedBuffer toBuffer() throws IOException {
        OwnedFd own = file;
        if (own == null) {
            throw new IOException("there is no memory file");
        }
        return SharedBuffer.of(own, BufferAccess.SEALED);
    }

    /** Closes a memory file that did not become a buffer. Idempotent. */
    void close() {
        try {
            if (file != null) {
                file.close();
            }
        } catch (IOException e) {
            Log.warning("closing a memory file", e);
        }
    }
}
