package io.sendfiled.client;

import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.ScriptedDaemon;
import java.io.IOException;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * A client that is connected to a daemon which does what each test says, and a pipe as destination: real sockets, real
 * descriptors, none of which is left after a test.
 */
abstract class ClientTestCase {
    static final long ID = 0x1122_3344_5566_7788L;

    Path directory;
    ScriptedDaemon daemon;
    SendfiledClient client;
    Pipe pipe;
    int descriptorsBefore;

    @BeforeEach
    void connect(@TempDir Path fresh) throws IOException {
        directory = fresh;
        daemon = new ScriptedDaemon(directory, "test");
        SendfiledClient.connect(directory, "test").close(); // whatever the JDK opens once and keeps
        Files.readString(Files.writeString(directory.resolve("loads"), "the file system"));
        descriptorsBefore = OpenDescriptors.count();
        client = SendfiledClient.connect(directory, "test");
        pipe = Pipe.open();
    }

    @AfterEach
    void shouldLeakNoDescriptor() throws IOException {
        client.close();
        pipe.sink().close();
        pipe.source().close();
        OpenDescriptors.awaitCount(descriptorsBefore);
        daemon.close();
    }
}
