package io.sendfiled.system.process;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.names.Names;
import java.io.ByteArrayOutputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;

/**
 * Serves each directory in the working directory, with the path that the JDK gives of it and the socket in it, and prints
 * its name and what a client reads from one file there.
 */
final class EmbeddedProbe {
    private EmbeddedProbe() {}

    public static void main(String[] args) throws Exception {
        List<Path> directories;
        try (Stream<Path> all = Files.list(Path.of(""))) {
            directories = all.sorted().toList();
        }
        for (Path directory : directories) {
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
            SendfiledConfig config = SendfiledConfig.builder()
                    .root(directory)
                    .socketDirectory(directory)
                    .build();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            try (Sendfiled engine = Sendfiled.launch(config);
                    SendfiledClient client =
                            SendfiledClient.connect(directory, engine.config().name())) {
                client.readTo(FileRequest.of("f\uDCFF\nb c"), Channels.newChannel(out))
                        .result()
                        .get();
            }
            System.out.println(Names.printable(directory) + " " + out.toString(StandardCharsets.UTF_8));
        }
    }
}
