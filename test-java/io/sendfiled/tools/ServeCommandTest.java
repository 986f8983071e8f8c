package io.sendfiled.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.SelfSigned;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How {@code sfd serve} refuses to start; {@code ServeIT} has it serve. */
final class ServeCommandTest {
    @TempDir
    private Path root;

    private static void expectRefusal(Path served, int status, String words, String... options) {
        ByteArrayOutputStream errors = new ByteArrayOutputStream();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        List<String> arguments = new ArrayList<>(List.of("serve", served.toString()));
        arguments.addAll(Arrays.asList(options));
        int result = new Sfd(out, new PrintStream(errors, true, StandardCharsets.UTF_8))
                .run(arguments.toArray(new String[0]));
        String said = errors.toString(StandardCharsets.UTF_8);
        assertEquals(status, result, said);
        assertTrue(said.startsWith("sfd: ") && said.contains(words), said);
        assertEquals(1, said.lines().count(), said);
        assertEquals(0, out.size());
    }

    @Test
    void shouldNameThePortThatIsInUse() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String port = Integer.toString(taken.getLocalPort());
            expectRefusal(
                    root, 1, "port " + port + " of 127.0.0.1 is in use; take another one by --port", "--port", port);
        }
    }

    @Test
    void shouldNameTheAddressThatIsOfNoInterface() {
        expectRefusal(root, 1, "192.0.2.1: no address of this machine; --host", "--host", "192.0.2.1", "--port", "0");
    }

    @Test
    void shouldNameTheDirectoryThatIsNone() throws Exception {
        Path file = Files.writeString(root.resolve("file"), "x");
        expectRefusal(root.resolve("absent"), 1, "absent: no such file or directory (ENOENT)", "--port", "0");
        expectRefusal(file, 1, "file: not a directory (ENOTDIR)", "--port", "0");
    }

    @Test
    void shouldNameTheKeyThatCannotBeRead() throws Exception {
        String absent = root.resolve("absent").toString();
        String none = Files.writeString(root.resolve("no.pem"), "none").toString();
        String cert = SelfSigned.pem(root).get(0).toString();
        expectRefusal(root, 1, "absent: no such file or directory", "--port", "0", "--cert", absent, "--key", absent);
        expectRefusal(root, 1, "no.pem: no certificate", "--port", "0", "--cert", none, "--key", none);
        expectRefusal(root, 1, "no.pem: no key in PEM, in PKCS #8", "--port", "0", "--cert", cert, "--key", none);
    }

    /** With such a pair no client could connect. */
    @Test
    void shouldNameTheKeyOfAnotherCertificate() throws Exception {
        String other = SelfSigned.pem(Files.createDirectory(root.resolve("other")))
                .get(1)
                .toString();
        String cert = SelfSigned.pem(root).get(0).toString();
        String words = "key.pem: not the key of the first certificate in " + cert;
        expectRefusal(root, 1, words, "--port", "0", "--cert", cert, "--key", other);
    }

    @Test
    void shouldNameTheLogThatCannotBeWritten() {
        expectRefusal(root, 1, "--access-log takes a file", "--port", "0", "--access-log", root + "/absent/log");
    }

    @Test
    void shouldNameTheOptionThatIsWrong() {
        expectRefusal(root, 2, "--cert: needs --key", "--cert", "x");
        expectRefusal(root, 2, "--key: needs --cert", "--key", "x");
        expectRefusal(root, 2, "--port: '65536' is not a number from 0 to 65535", "--port", "65536");
        expectRefusal(root, 2, "--host: '' is no name and no address", "--host", "");
        expectRefusal(root, 1, "a?b: unknown host", "--host", "a\u001bb", "--port", "0");
        expectRefusal(root, 2, "--cache-control: ", "--cache-control", "a\nb");
        expectRefusal(root, 2, "--loops: '0' is not a number from 1 to 64", "--loops", "0");
        expectRefusal(root, 2, "--open-files: '-1' is not a number from 0 to 65536", "--open-files", "-1");
        expectRefusal(root, 2, "--open-files-age: '2h' is not a time up to 1h", "--open-files-age", "2h");
        expectRefusal(root, 2, "--max-connections: '0' is not", "--max-connections", "0");
        expectRefusal(root, 2, "--request-timeout: '0' is not a time above 0", "--request-timeout", "0");
        expectRefusal(root, 2, "--idle-timeout: 'x' is not a time", "--idle-timeout", "x");
    }
}
