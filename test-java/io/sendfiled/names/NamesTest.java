package io.sendfiled.names;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.JavaProgram;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names keep their bytes on every way between the kernel, text and paths, in every locale. */
final class NamesTest {
    private static final int SEED = 20_240_229;
    private static final int PATH_MAX = 4096;

    @TempDir
    Path scratch;

    /* Names as printf(1) writes them: not UTF-8, cut UTF-8, a surrogate in UTF-8, UTF-8, and what shells and URIs use. */
    private static final List<String> PRINTF = List.of(
            "a\\377", "\\303", "\\355\\240\\200", "\\303\\274", "a b%%41?#!:;", "line\\nbreak", "bad\\376", "e\\351");

    private static byte[] unhex(String hex) {
        return HexFormat.of().parseHex(hex);
    }

    @Test
    void shouldGetBackFromTextToTheSameBytes() {
        Random random = new Random(SEED);
        for (int i = 0; i < 20_000; i++) {
            byte[] name = new byte[1 + random.nextInt(12)];
            for (int j = 0; j < name.length; j++) { // half of them lead or continue UTF-8
                name[j] = (byte) (1 + random.nextInt(255));
            }
            assertArrayEquals(
                    name, Names.bytes(Names.text(name)), () -> HexFormat.of().formatHex(name));
        }
    }

    @Test
    void shouldGetBackFromPathsToTheSameBytes() {
        Random random = new Random(SEED);
        for (int i = 0; i < 5_000; i++) {
            byte[] name = new byte[2 + random.nextInt(12)];
            random.nextBytes(name);
            for (int j = 0; j < name.length; j++) {
                name[j] = name[j] == 0 || name[j] == '/' ? (byte) 0xff : name[j];
            }
            name[0] = '/';
            assertArrayEquals(
                    name, Names.bytes(Names.path(name)), () -> HexFormat.of().formatHex(name));
        }
    }

    @Test
    void shouldReadUtf8AsItIs() {
        assertEquals("grö\uD83D\uDE00", Names.text("grö\uD83D\uDE00".getBytes(StandardCharsets.UTF_8)));
        assertEquals("a\uDCFFb", Names.text(unhex("61ff62")));
    }

    @Test
    void shouldShowBytesThatAreNoTextAndNothingThatControlsTheTerminal() {
        assertEquals("a\\xFF\\x80?ü\uD83D\uDE00", Names.printable("a\uDCFF\uDC80\nü\uD83D\uDE00"));
        assertEquals("/\\xC3", Names.printable(Names.path(unhex("2fc3"))));
        assertEquals("?a?", Names.printable("\uD800a\uDC00"));
        assertEquals("?gnp.exe ?a?", Names.printable("\u202Egnp.exe \u2066a\u2069"));
    }

    @Test
    void shouldEscapeBytesThatAreNoTextInJson() {
        assertEquals("{\"a\\udcffü\uD83D\uDE00\"}", Names.escaped("{\"a\uDCFFü\uD83D\uDE00\"}"));
    }

    @Test
    void shouldRefuseTextThatIsTheNameOfNothing() {
        assertThrows(InvalidPathException.class, () -> Names.bytes("a\uD800"));
        assertThrows(InvalidPathException.class, () -> Names.bytes("a\uDC7F"));
        assertThrows(InvalidPathException.class, () -> Names.path(""));
        assertThrows(InvalidPathException.class, () -> Names.path("a\0b"));
    }

    @Test
    void shouldRefuseAPathOfAnotherFileSystem() throws IOException {
        URI zip = URI.create("jar:" + scratch.resolve("a.zip").toUri());
        try (FileSystem other = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
            assertThrows(InvalidPathException.class, () -> Names.bytes(other.getPath("/srv")));
        }
    }

    @Test
    void shouldWriteRenameAndRemoveAFileOfEveryName() throws Exception {
        String directory = Names.text(Names.bytes(scratch));
        List<String> names =
                new ArrayList<>(List.of("a\uDCFF", " ", "line\nbreak", "?#%41", "x".repeat(254) + "\uDC80"));
        for (String name : names) {
            Path file = Names.path(directory + "/" + name);
            Path other = Names.resolve(scratch, "\uDCFE" + name.substring(1));
            try (FileChannel channel =
                    FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
                channel.write(ByteBuffer.wrap(new byte[] {1}));
            }
            assertArrayEquals(Names.bytes(name), listing().get(0));
            Files.move(file, other, StandardCopyOption.ATOMIC_MOVE);
            assertEquals((byte) 0xfe, listing().get(0)[0]);
            Files.delete(other);
            assertEquals(0, listing().size());
        }
    }

    @Test
    void shouldReachTheLongestPath() throws Exception {
        StringBuilder path = new StringBuilder(Names.text(Names.bytes(scratch)));
        while (path.length() + 201 < PATH_MAX - 2) {
            path.append('/').append("\uDCFF".repeat(200));
            Files.createDirectory(Names.path(path.toString()));
        }
        path.append('/').append("y".repeat(PATH_MAX - 1 - path.length()));
        Path file = Names.path(path.toString());
        Files.createFile(file);
        assertEquals(PATH_MAX - 1, Names.bytes(file).length);
        assertTrue(Files.exists(file));
        assertFalse(Files.exists(Names.path(path + "z")));
    }

    /** The names in the directory as {@code ls} writes them, so that nothing of what is tested takes part. */
    private List<byte[]> listing() throws IOException, InterruptedException {
        return hexLines(shell(
                Map.of(),
                "for f in *; do [ -e \"$f\" ] && printf %s \"$f\" | od -An -tx1 -v | tr -d ' \\n'"
                        + " && echo; done; true"));
    }

    private static List<byte[]> hexLines(String text) {
        return text.lines().map(NamesTest::unhex).toList();
    }

    private String shell(Map<String, String> environment, String line, String... arguments)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", line, "sh"));
        command.addAll(List.of(arguments));
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(scratch.toFile()).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().putAll(environment);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        assertEquals(0, process.waitFor(), output);
        return output;
    }

    /** Two names that the JVM's text cannot tell apart are among them; the directory's own is not UTF-8 either. */
    @ParameterizedTest
    @ValueSource(strings = {"C.UTF-8", "C", "POSIX", "ISO-8859-1"})
    void shouldTakeAndFindAllNamesInEveryLocale(String locale) throws Exception {
        Map<String, String> environment = Map.of("LC_ALL", locale);
        if (locale.equals("ISO-8859-1")) { // no machine has it by itself
            String made = shell(Map.of(), "localedef -i en_US -f ISO-8859-1 ./sfd_TEST >&2 && echo made || true");
            assumeTrue(made.equals("made\n"), "localedef has no source of that locale");
            environment = Map.of("LC_ALL", "sfd_TEST", "LOCPATH", scratch.toString());
        }
        StringBuilder line = new StringBuilder("d=$(printf 'd\\366\\377'); mkdir \"$d\" && cd \"$d\" && ");
        line.append("NAME=$(printf 'of\\377environment') && export NAME && exec \"$@\"");
        for (String name : PRINTF) {
            line.append(" \"$(printf '").append(name).append("')\"");
        }
        List<byte[]> found = hexLines(shell(
                environment,
                line.toString(),
                JavaProgram.command(NamesProbe.class).toArray(String[]::new)));
        String list = "for f in d*/*; do printf %s \"${f#d*/}\" | od -An -tx1 -v | tr -d ' \\n'; echo; done";
        List<byte[]> made = hexLines(shell(Map.of("LC_ALL", "C"), list));
        assertEquals(PRINTF.size() + 1, made.size());
        assertEquals(sorted(made), sorted(found.subList(0, found.size() - 1)));
        String expected = HexFormat.of().formatHex("a\u00ff".getBytes(StandardCharsets.ISO_8859_1)) + ","
                + HexFormat.of().formatHex("bad\u00fe".getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(
                sorted(made).containsAll(List.of(expected.split(","))),
                sorted(made).toString());
        byte[] directory = found.get(found.size() - 1);
        assertEquals("2f64f6ff", HexFormat.of().formatHex(directory).substring(2 * (directory.length - 4)));
    }

    private static List<String> sorted(List<byte[]> names) {
        return names.stream().map(HexFormat.of()::formatHex).sorted().toList();
    }
}
