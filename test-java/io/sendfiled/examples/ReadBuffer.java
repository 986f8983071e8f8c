package io.sendfiled.examples;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.client.BufferTransfer;
import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * Reads a file into memory, and writes it to standard output.
 *
 * <pre>
 * ReadBuffer [--send] SOCKDIR NAME PATH
 * </pre>
 *
 * <p>The daemon fills a memory file and seals it: this program has the bytes as a {@link ByteBuffer}, without a pipe, a copy
 * or a loop that reads. With {@code --send} it does not write them itself: the daemon sends the buffer, which can go to any
 * number of sockets at a time.
 */
public final class ReadBuffer {
    private ReadBuffer() {}

    private static void write(SharedBuffer buffer) throws IOException {
        try (FileChannel out = new FileOutputStream(FileDescriptor.out).getChannel()) {
            for (long at = 0; at < buffer.size(); ) {
                at += out.write(buffer.view(at, (int) Math.min(BufferReport.PIECE, buffer.size() - at)));
            }
        }
    }

    private static void copy(SendfiledClient client, String path, boolean send)
            throws IOException, InterruptedException {
        BufferTransfer transfer = client.readBuffer(path);
        transfer.await(); // a program with something else to do waits for the future buffer() instead
        try (SharedBuffer buffer = transfer.buffer().join()) {
            if (send) {
                client.send(FileRequest.of(buffer), Destination.of(FileDescriptor.out))
                        .await();
            } else {
                write(buffer);
            }
        }
    }

    public static void main(String[] args) throws InterruptedException {
        boolean send = args.length > 0 && args[0].equals("--send");
        int first = send ? 1 : 0;
        if (args.length != first + 3) {
            System.err.println("usage: ReadBuffer [--send] SOCKDIR NAME PATH");
            System.exit(2);
        }
        try (SendfiledClient client = SendfiledClient.connect(Path.of(args[first]), args[first + 1])) {
            copy(client, args[first + 2], send);
        } catch (IOException e) {
            System.err.println("ReadBuffer: " + e.getMessage());
            System.exit(1);
        }
    }
}
