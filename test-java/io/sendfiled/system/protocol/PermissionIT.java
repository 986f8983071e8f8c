package io.sendfiled.system.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.DaemonProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A file that the daemon's user may not read. The superuser may read everything, so where the tests run as root the daemon
 * becomes somebody else; an embedded engine cannot.
 */
@Timeout(60)
final class PermissionIT {
    private static final String NAME = "permission";

    @TempDir
    private Path directory;

    @Test
    void shouldRefuseAFileThatItsUserMayNotRead() throws Exception {
        boolean root = Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
        if (root) {
            Files.setOwner(
                    directory,
                    directory.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName("nobody"));
        }
        Path files = Files.createDirectory(directory.resolve("root"));
        Files.setPosixFilePermissions(files, PosixFilePermissions.fromString("rwxr-xr-x"));
        Content open = Content.write(files.resolve("open"), 10);
        Files.setPosixFilePermissions(files.resolve("open"), PosixFilePermissions.fromString("rw-r--r--"));
        Content.write(files.resolve("secret"), 10);
        Files.setPosixFilePermissions(files.resolve("secret"), PosixFilePermissions.fromString("---------"));
        Path closed = Files.createDirectory(files.resolve("closed"));
        Content.write(closed.resolve("file"), 10);
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("---------"));

        String[] options = root ? new String[] {"--user=nobody"} : new String[0];
        try (DaemonProcess daemon = DaemonProcess.start(directory, NAME, files, options);
                SendfiledClient client = SendfiledClient.connect(directory, NAME);
                TestDestination destination = TestDestination.open(TestDestination.Type.PIPE, directory)) {
            try (FileContent content = client.read("open").content().get(20, TimeUnit.SECONDS)) {
                assertEquals(open, Content.drain(content));
            }
            int descriptors = daemon.openDescriptors();
            expectRefusal(client.read("secret").result());
            expectRefusal(client.open("secret"));
            expectRefusal(client.send(FileRequest.of("secret"), destination.destination())
                    .result());
            expectRefusal(client.read("closed/file").result());
            Await.until("no descriptor to be left", () -> daemon.openDescriptors() <= descriptors);
        } finally {
            Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));
        }
    }

    private static void expectRefusal(CompletableFuture<?> future) {
        CompletionException failure =
                assertThrows(CompletionException.class, () -> future.orTimeout(20, TimeUnit.SECONDS)
                        .join());
        assertEquals(
                "EACCES",
                assertInstanceOf(TransferException.class, failure.getCause()).errnoName());
    }
}
