package io.sendfiled.tools;

import io.sendfiled.jni.ClientNative;
import io.sendfiled.sys.Descriptors;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;

/** Standard output, for text and for a file's bytes. Each write is checked: a full disk loses nothing unsaid. One thread. */
final class StandardOutput {
    static final String NAME = "standard output";

    private final OutputStream stream;
    private final WritableByteChannel channel;
    private final boolean isReal;

    /**
     * @param stream a {@link FileOutputStream} is that of {@link DataDescriptor}
     */
    StandardOutput(OutputStream stream) {
        this.stream = stream;
        isReal = stream instanceof FileOutputStream;
        channel = stream instanceof FileOutputStream file ? file.getChannel() : Channels.newChannel(stream);
    }

    boolean isTerminal() {
        return isReal && Descriptors.isTerminal(DataDescriptor.number());
    }

    void print(String text) throws SfdException {
        try {
            stream.write(text.getBytes(StandardCharsets.UTF_8));
            stream.flush();
        } catch (IOException e) {
            throw SfdException.of(NAME, e);
        }
    }

    /** Writes some bytes; waits for room, also where somebody has made the descriptor non-blocking. */
    int write(ByteBuffer bytes) throws IOException {
        int count = channel.write(bytes);
        if (count == 0 && bytes.hasRemaining() && isReal) {
            ClientNative.waitWritable(DataDescriptor.number(), -1);
        }
        return count;
    }
}
