package io.sendfiled.system.netty;

import io.sendfiled.support.Content;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;

/** The client's end of an HTTP connection: sends requests without waiting, and reads answers one by one. Blocks. */
final class HttpClientSide {
    /** An answer: its status, and what its body was. */
    record Answer(int status, Content body) {}

    private final InputStream in;
    private final OutputStream out;

    HttpClientSide(SocketChannel socket) {
        this(Channels.newInputStream(socket), Channels.newOutputStream(socket));
    }

    HttpClientSide(InputStream in, OutputStream out) {
        this.in = new BufferedInputStream(in, 1 << 16);
        this.out = out;
    }

    /** Sends requests in one go. */
    void request(List<String> paths) throws IOException {
        StringBuilder text = new StringBuilder();
        for (String path : paths) {
            text.append("GET /").append(path).append(" HTTP/1.1\r\nHost: test\r\n\r\n");
        }
        out.write(text.toString().getBytes(StandardCharsets.US_ASCII));
        out.flush();
    }

    /** The next answer, which must be whole. */
    Answer answer() throws IOException {
        String status = line();
        if (!status.startsWith("HTTP/1.1 ")) {
            throw new IOException("no status line: " + status);
        }
        long length = -1;
        for (String header = line(); !header.isEmpty(); header = line()) {
            String lower = header.toLowerCase(Locale.ROOT);
            if (lower.startsWith("content-length:")) {
                length = Long.parseLong(lower.substring(15).trim());
            }
        }
        // No close: it would be the socket's.
        @SuppressWarnings("resource")
        ReadableByteChannel body = Channels.newChannel(new Part(in, length));
        Content content = Content.drain(body);
        if (content.size() != length) {
            throw new EOFException("an answer of " + length + " bytes ends after " + content.size());
        }
        return new Answer(Integer.parseInt(status.substring(9, 12)), content);
    }

    private String line() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new EOFException("the connection ends");
            }
            if (c != '\r') {
                text.append((char) c);
            }
        }
        return text.toString();
    }

    /** So many bytes of a stream. */
    private static final class Part extends InputStream {
        private final InputStream in;
        private long left;

        Part(InputStream in, long length) {
            this.in = in;
            left = length;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] to, int offset, int length) throws IOException {
            if (left == 0) {
                return -1;
            }
            int count = in.read(to, offset, (int) Math.min(length, left));
            left -= Math.max(0, count);
            return count;
        }
    }
}
