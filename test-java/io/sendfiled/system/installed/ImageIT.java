package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SocketDirectories;
import io.sendfiled.support.Await;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.Program;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The container image: its root file system is made by the steps of {@code packaging/container/Containerfile}, and its
 * entry point runs in namespaces of its own, as the first process, on a root that is read-only. No engine is needed.
 */
@Timeout(180)
final class ImageIT {
    private static final String SOCKET = SocketDirectories.socketFile("default");
    private static final String NO_CAPABILITIES = "-";

    /** An arbitrary user, as some platforms choose one: the image's user database does not know it. */
    private static final int UID = 1_000_680;

    @TempDir
    private static Path built;

    private static Path image;

    @TempDir
    private Path directory;

    private Path sockets;
    private Path files;

    @BeforeAll
    static void makeImage() throws Exception {
        assumeTrue(Program.ROOT, "only root can do as a container's engine does");
        Path jdk = Path.of(System.getProperty("java.home"));
        assumeTrue(Files.isExecutable(jdk.resolve("bin/jlink")), "this Java has no jlink");
        image = built.resolve("image");
        HelperProgram.output(
                Containerfile.SOURCE.resolve("packaging/container/rootfs.sh").toString(),
                Program.LAUNCHER.resolveSibling("..").toString(),
                jdk.toString(),
                image.toString());
        for (List<String> step : Containerfile.steps()) {
            HelperProgram.output(contained(0, "build", List.of(), step).toArray(String[]::new));
        }
    }

    @BeforeEach
    void makeDirectories() throws IOException {
        sockets = Files.createDirectory(directory.resolve("sockets"));
        Files.setAttribute(directory, "unix:mode", 0755);
        Files.setAttribute(sockets, "unix:mode", 0755);
        files = Files.createDirectory(directory.resolve("files"));
        Files.writeString(files.resolve("fichier-\u00e9"), "the content");
    }

    @Test
    void shouldServeFromAReadOnlyRootAsAUserWithoutAName() throws Exception {
        Path own = Files.createDirectory(sockets.resolve("default"));
        Files.setAttribute(own, "unix:uid", UID);
        try (Program container = run(UID, NO_CAPABILITIES, binds())) {
            container.awaitServing(own.resolve(SOCKET));
            long daemon = daemonOf(container);
            assertEquals("1", status(daemon, "NSpid").split("\\s+")[1], "it is the first process");
            assertEquals("the content", read(own));
            assertEquals("the content", sfd("read", "fichier-\u00e9"), "from another container of its user");
            assertEquals(0, exitOf(UID, NO_CAPABILITIES, Containerfile.healthCheck()));

            Program.signal(daemon, "TERM");
            assertEquals(0, container.awaitExit(), container.errors());
            assertFalse(Files.exists(own.resolve(SOCKET)));
            assertFalse(container.errors().contains("no full sandbox"), container.errors());
            assertEquals(3, exitOf(UID, NO_CAPABILITIES, Containerfile.healthCheck()));
        }
    }

    /** What a DaemonSet's pod does: nobody else makes the directory, and root has three capabilities. */
    @Test
    void shouldMakeItsDirectoryAndDropItsRightsAsTheDaemonSetHasIt() throws Exception {
        JsonObject container = Manifests.container(Manifests.of("DaemonSet"));
        Path config = Files.createDirectory(directory.resolve("config"));
        Manifests.of("ConfigMap").getAsJsonObject("data").entrySet().forEach(entry -> {
            try {
                Files.writeString(
                        config.resolve(entry.getKey()), entry.getValue().getAsString());
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        List<String> binds = new ArrayList<>(binds());
        binds.add(config + "=/etc/sendfiled");
        try (Program running = run(0, Manifests.capabilities(container), binds)) {
            Path own = sockets.resolve("default");
            running.awaitServing(own.resolve(SOCKET));
            assertEquals(65532, (Integer) Files.getAttribute(own, "unix:uid"));
            assertEquals("the content", read(own));
            long daemon = daemonOf(running);
            assertTrue(status(daemon, "Uid").startsWith("65532\t65532\t65532"), status(daemon, "Uid"));
            assertEquals("0000000000000000", status(daemon, "CapPrm"));
            assertEquals("0000000000000000", status(daemon, "CapEff"));
            List<String> probe = container
                    .getAsJsonObject("livenessProbe")
                    .getAsJsonObject("exec")
                    .getAsJsonArray("command")
                    .asList()
                    .stream()
                    .map(JsonElement::getAsString)
                    .toList();
            assertEquals(0, exitOf(0, Manifests.capabilities(container), probe));

            Program.signal(daemon, "TERM");
            assertEquals(0, running.awaitExit(), running.errors());
        }
    }

    @Test
    void shouldMapItsClassesFromTheImagesArchive() throws Exception {
        List<String> version = new ArrayList<>(Containerfile.entryPoint());
        version.add(version.size() - 1, "-Xlog:class+load:stderr"); // the last names the program
        version.add("--version");
        List<String> command = contained(UID, NO_CAPABILITIES, List.of(), version);
        try (Program program = Program.start(directory, command, Containerfile.environment())) {
            assertEquals(0, program.awaitExit(), program.errors());
            String loads = program.errors();
            assertTrue(loads.contains("io.sendfiled.daemon.Main source: shared objects file"), loads);
            // of the JDK's own some may be missing there, which JDK 25 loads for the logger of a runtime without
            // java.logging
            assertFalse(loads.contains(" source: file:"), loads);
        }
    }

    @Test
    void shouldContainTheDaemonAndNoOtherProgram() throws Exception {
        try (Stream<Path> all = Files.walk(image)) {
            List<String> programs = all.filter(path -> Files.isRegularFile(path) && Files.isExecutable(path))
                    .map(path -> path.getFileName().toString())
                    .filter(name -> !name.contains(".so"))
                    .sorted()
                    .toList();
            assertEquals(List.of("java", "sendfiled-start"), programs);
        }
    }

    private List<String> binds() {
        return List.of(sockets + "=/run/sendfiled", files + "=/srv");
    }

    private Program run(int uid, String capabilities, List<String> binds) throws IOException {
        return Program.start(
                directory,
                contained(uid, capabilities, binds, Containerfile.entryPoint()),
                Containerfile.environment());
    }

    /** What sfd prints, whose command line differs from the daemon's by a word and a name. */
    private String sfd(String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        for (String word : Containerfile.entryPoint()) {
            command.add(word.replace("/sendfiled.", "/sfd."));
        }
        command.add(1, "--data");
        command.addAll(List.of(arguments));
        try (Program sfd = Program.start(
                directory, contained(UID, NO_CAPABILITIES, binds(), command), Containerfile.environment())) {
            String output = sfd.output();
            assertEquals(0, sfd.awaitExit(), sfd.errors());
            return output;
        }
    }

    /** Of a program beside the daemon. */
    private int exitOf(int uid, String capabilities, List<String> program) throws Exception {
        try (Program running =
                Program.start(directory, contained(uid, capabilities, binds(), program), Containerfile.environment())) {
            return running.awaitExit();
        }
    }

    private static List<String> contained(int uid, String capabilities, List<String> binds, List<String> program) {
        List<String> command = new ArrayList<>(
                List.of("unshare", "--mount", "--pid", "--ipc", "--uts", "--net", "--fork", "--kill-child"));
        command.addAll(HelperProgram.command("contained", image, uid, capabilities));
        command.addAll(binds);
        command.add("--");
        command.addAll(program);
        return command;
    }

    /** The child of unshare(1). */
    private static long daemonOf(Program container) throws IOException {
        String children =
                Files.readString(Path.of("/proc/" + container.pid() + "/task/" + container.pid() + "/children"));
        return Long.parseLong(children.strip());
    }

    private static String status(long pid, String key) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"), StandardCharsets.ISO_8859_1)) {
            if (line.startsWith(key + ":")) {
                return line.substring(key.length() + 1).strip();
            }
        }
        throw new IOException("no " + key);
    }

    private static String read(Path sockets) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (SendfiledClient client = SendfiledClient.connect(sockets, "default")) {
            client.readTo("fichier-\u00e9", Channels.newChannel(out))
                    .result()
                    .get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
        }
        return out.toString(StandardCharsets.UTF_8);
    }
}
