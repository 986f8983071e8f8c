package io.sendfiled.client;

import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.WritableByteChannel;

/**
 * One call of {@link SendfiledClient#sendfile}: a transfer that its thread waits for, in Java, with the answers of
 * sendfile(2). Owns nothing but the transfer.
 */
final class SendfileCall {
    /** So often the size is asked for; a file that changes faster fails with what the engine said last. */
    private static final int ATTEMPTS = 4;

    private final SendfiledClient client;
    private final Destination out;
    private final FileChannel in;

    SendfileCall(SendfiledClient client, WritableByteChannel out, FileChannel in) {
        this.client = client;
        this.out = destination(out);
        this.in = in;
    }

    private static Destination destination(WritableByteChannel out) {
        if (out instanceof SelectableChannel channel) {
            return Destination.of(channel);
        }
        if (out instanceof FileChannel file) {
            return Destination.of(file);
        }
        throw new IllegalArgumentException(
                out + " has no descriptor: a file is sent to a SocketChannel, a Pipe.SinkChannel or a FileChannel");
    }

    /** The bytes sent. */
    long run(long position, long count) throws IOException {
        FileRequest file = FileRequest.of(Source.of(in)).from(position); // checks it
        long length = Math.min(count, Long.MAX_VALUE - position);
        if (length < 0) {
            throw new IllegalArgumentException("negative count " + count);
        }
        for (int attempt = 1; length > 0; attempt++) {
            try {
                return await(client.send(file.range(position, length), out));
            } catch (TransferException e) {
                if (e.bytesMoved() > 0) {
                    return e.bytesMoved(); // the next call tells why there are no more
                }
                if ((e.errno() != Errno.ERANGE && e.errno() != Errno.ENODATA) || attempt == ATTEMPTS) {
                    throw e;
                }
            }
            // Only now: asking for the size may wait for a disk, inside the kernel, and the most ranges are inside the
            // file.
            length = Math.min(length, in.size() - position);
        }
        return 0;
    }

    private static long await(Transfer transfer) throws IOException {
        try {
            return transfer.await().bytesMoved();
        } catch (InterruptedException e) {
            transfer.cancel();
        }
        try {
            return transfer.await().bytesMoved(); // a second interrupt ends this wait, too
        } catch (TransferException e) {
            if (e.errno() != Errno.ECANCELED || e.bytesMoved() > 0) {
                throw e;
            }
            throw interrupted("nothing was sent");
        } catch (InterruptedException e) {
            throw interrupted("the destination may still be written to");
        } finally {
            Thread.currentThread().interrupt();
        }
    }

    private static InterruptedIOException interrupted(String consequence) {
        return new InterruptedIOException("interrupted while a file was sent: " + consequence);
    }
}
