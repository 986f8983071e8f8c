package io.sendfiled.client;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file that is opened when a transfer is submitted. */
record PathSource(Path file) implements Source {
    @Override
    public OwnedFd duplicate() throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return Descriptors.duplicate(channel);
        }
    }

    @Override
    public String name() {
        return file.toString();
    }
}
