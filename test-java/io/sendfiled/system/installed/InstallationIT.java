package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Lengthy;
import io.sendfiled.system.Installed;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What {@code ./dev install} and {@code ./dev uninstall} do: the tree of the build elsewhere, and nothing in the end. */
@Timeout(120)
final class InstallationIT {
    private static final String MANIFEST = "lib/sendfiled/install-manifest";

    @TempDir
    private Path directory;

    private Path prefix;

    @BeforeEach
    void nameThePrefix() {
        prefix = directory.resolve("an installation");
    }

    /** Runs a shell line with the script's name as $1 and the prefix as $2, and wants it to end well. */
    private static void shell(String line, Path prefix) throws IOException, InterruptedException {
        String script = Installed.source("packaging/system/installation.sh").toString();
        Installed.output("/bin/sh", "-c", "unset DESTDIR; " + line, "sh", script, prefix.toString());
    }

    private void install() throws IOException, InterruptedException {
        shell("exec \"$1\" install \"$2\"", prefix);
    }

    private void uninstall() throws IOException, InterruptedException {
        shell("exec \"$1\" uninstall \"$2\"", prefix);
    }

    /** The names of all files below a directory that are no archive of classes, which has a name of its own in each. */
    private static Set<String> files(Path directory) throws IOException {
        TreeSet<String> names = new TreeSet<>();
        try (Stream<Path> all = Files.walk(directory)) {
            all.filter(file -> !Files.isDirectory(file) && !file.toString().endsWith(".jsa"))
                    .forEach(file -> names.add(directory.relativize(file).toString()));
        }
        return names;
    }

    @Test
    void shouldInstallTheTreeOfTheBuild() throws Exception {
        install();

        Set<String> expected = files(Installed.TREE);
        expected.add(MANIFEST);
        assertEquals(expected, files(prefix));
        String version = Installed.output(Installed.TREE.resolve("bin/sfd").toString(), "--version");
        assertEquals(version, Installed.output(prefix.resolve("bin/sfd").toString(), "--version"));
    }

    @Test
    void shouldLetEverybodyReadItWhateverTheUmask() throws Exception {
        shell("umask 077; exec \"$1\" install \"$2\"", prefix);

        List<String> closed = new ArrayList<>();
        try (Stream<Path> all = Files.walk(prefix)) {
            for (Path file : all.filter(file -> !Files.isSymbolicLink(file)).toList()) {
                if (!Files.getPosixFilePermissions(file).contains(PosixFilePermission.OTHERS_READ)) {
                    closed.add(file.toString());
                }
            }
        }
        assertEquals(List.of(), closed);
    }

    @Test
    void shouldLeaveNothingWhenItIsUninstalled() throws Exception {
        install();
        uninstall();

        assertEquals(List.of(), List.copyOf(files(prefix)));
        try (Stream<Path> rest = Files.list(prefix)) {
            assertEquals(List.of(), rest.toList());
        }
    }

    @Lengthy
    @Test
    void shouldLeaveWhatItHasNotInstalled() throws Exception {
        install();
        Path foreign = Files.writeString(prefix.resolve("bin/other"), "");
        uninstall();

        assertEquals(List.of("bin/other"), List.copyOf(files(prefix)));
        assertTrue(Files.exists(foreign));
    }

    @Lengthy
    @Test
    void shouldRemoveWhatOnlyAnEarlierVersionHad() throws Exception {
        install();
        Path old = Files.writeString(prefix.resolve("lib/sendfiled/sendfiled-0.0.1.jar"), "");
        Path manifest = prefix.resolve(MANIFEST);
        Files.writeString(manifest, Files.readString(manifest, StandardCharsets.UTF_8) + old + "\n");
        install();

        Set<String> expected = files(Installed.TREE);
        expected.add(MANIFEST);
        assertEquals(expected, files(prefix));
    }

    @Test
    void shouldPutWhatTheSystemReadsWhereItLooksForIt() throws Exception {
        Path root = directory.resolve("root");
        shell("DESTDIR=\"$2\" \"$1\" install /usr", root);

        Set<String> expected = new TreeSet<>();
        files(Installed.TREE).forEach(name -> expected.add((name.startsWith("etc/") ? "" : "usr/") + name));
        expected.add("usr/" + MANIFEST);
        assertEquals(expected, files(root));
        try (Stream<Path> all = Files.walk(root.resolve("usr/lib"))) {
            for (Path unit : all.filter(file -> file.toString().matches(".*\\.(service|socket)"))
                    .toList()) {
                assertEquals(
                        Files.readString(Installed.source("packaging/systemd").resolve(unit.getFileName())),
                        Files.readString(unit));
            }
        }
    }
}
