package io.sendfiled.system.client;

import io.sendfiled.support.Content;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/** A connection on which a test writes bytes, and reads answers as strictly as RFC 9112 has them. */
final class RawHttp implements AutoCloseable {
    private static final int TIMEOUT_MS = 20_000;

    /**
     * An answer.
     *
     * @param line the status line
     * @param headers by their names, without regard to case
     * @param text the body, each byte as one character
     */
    record Answer(String line, Map<String, String> headers, String text) {
        int status() {
            return Integer.parseInt(line.substring(9, 12));
        }

        /** The value of a header that there must be. */
        String header(String name) {
            return Objects.requireNonNull(headers.get(name), name);
        }

        byte[] bytes() {
            return text.getBytes(StandardCharsets.ISO_8859_1);
        }

        Content content() throws IOException {
            return Content.of(bytes());
        }

        boolean closes() {
            return "close".equals(headers.get("Connection"));
        }
    }

    private final Socket socket;
    private final InputStream in;

    RawHttp(Socket socket) throws IOException {
        this.socket = socket;
        socket.setSoTimeout(TIMEOUT_MS);
        in = new BufferedInputStream(socket.getInputStream());
    }

    void write(String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
        socket.getOutputStream().flush();
    }

    void shutdownOutput() throws IOException {
        socket.shutdownOutput();
    }

    /** Reads one answer; {@code isHead}: to a request that no body follows. */
    Answer answer(boolean isHead) throws IOException {
        String line = line();
        if (!line.matches("HTTP/1\\.1 [1-5][0-9][0-9] .*")) {
            throw new IOException("no status line: " + line);
        }
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        for (String header = line(); !header.isEmpty(); header = line()) {
            int colon = header.indexOf(':');
            String earlier = headers.put(
                    header.substring(0, colon), header.substring(colon + 1).strip());
            if (earlier != null) {
                throw new IOException("twice: " + header);
            }
        }
        boolean isBare = isHead || line.startsWith("HTTP/1.1 304");
        String length = headers.get("Content-Length");
        if (!isBare && length == null) {
            throw new IOException("no length: " + headers);
        }
        byte[] body = isBare ? new byte[0] : in.readNBytes(Integer.parseInt(length));
        if (!isBare && body.length != Integer.parseInt(length)) {
            throw new EOFException("the body ends after " + body.length + " of " + length + " bytes");
        }
        return new Answer(line, headers, new String(body, StandardCharsets.ISO_8859_1));
    }

    private String line() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        while (true) {
            int b = in.read();
            if (b < 0) {
                throw new EOFException("the end after \"" + line + "\"");
            }
            if (b == '\n') {
                throw new IOException("a bare line feed after \"" + line + "\"");
            }
            if (b == '\r') {
                if (in.read() != '\n') {
                    throw new IOException("a bare carriage return after \"" + line + "\"");
                }
                return line.toString(StandardCharsets.ISO_8859_1);
            }
            line.write(b);
        }
    }

    /** Whether the server has ended the connection, and sent nothing more. Waits for that. */
    boolean isAtEnd() throws IOException {
        return in.read() < 0;
    }

    /** Whether there is something to be read; does not wait. */
    boolean hasMore() throws IOException {
        return in.available() > 0;
    }

    int read(byte[] to) throws IOException {
        return in.read(to);
    }

    /** All up to the end of the connection. */
    byte[] rest() throws IOException {
        return in.readAllBytes();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
