package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.names.Names;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The three sources of settings, with files as people write them. */
@Timeout(30)
final class ConfigSourcesTest {
    private Path directory;
    private Path file; // of the instance "default"

    @BeforeEach
    void placeFiles(@TempDir Path scratch) {
        directory = scratch;
        file = scratch.resolve("default.conf");
    }

    private ProgramConfig load(Map<String, String> environment, String... args) throws UsageException {
        return new ConfigSources(CommandLine.parse(args), environment, false, directory).load();
    }

    private ProgramConfig load(String... args) throws UsageException {
        return load(Map.of(), args);
    }

    private ProgramConfig write(String text) throws Exception {
        Files.writeString(file, text);
        return load();
    }

    private List<String> problems(String text) throws IOException {
        Files.writeString(file, text);
        return problems(Map.of());
    }

    private List<String> problems(Map<String, String> environment, String... args) {
        return assertThrows(UsageException.class, () -> load(environment, args)).problems();
    }

    private static SendfiledConfig engine(ProgramConfig program) throws Exception {
        return ConfigCheck.build(program);
    }

    // ------------------------------------------------------------------ precedence

    @Test
    void shouldTakeTheCommandLineBeforeTheEnvironmentBeforeTheFile() throws Exception {
        Files.writeString(file, "max-transfers = 1\nloops = 1\nopen-timeout = 1s\nsandbox = off\n");
        Map<String, String> environment = Map.of("SENDFILED_MAX_TRANSFERS", "2", "SENDFILED_LOOPS", "2");
        ProgramConfig program = load(environment, "--max-transfers=3");
        SendfiledConfig engine = engine(program);

        assertEquals(3, engine.maxTransfers());
        assertEquals(2, engine.loops());
        assertEquals(1000, engine.openTimeoutMs());
        assertEquals(SandboxMode.OFF, program.sandbox());
        assertEquals("--max-transfers", program.label(Setting.MAX_TRANSFERS));
        assertEquals("SENDFILED_LOOPS", program.label(Setting.LOOPS));
        assertEquals(file + ": 3: open-timeout", program.label(Setting.OPEN_TIMEOUT_MS));
        assertEquals("--quantum", program.label(Setting.QUANTUM_BYTES), "the option that could change a default");
    }

    @Test
    void shouldReadTheFileOfTheInstanceThatIsNamed() throws Exception {
        Files.writeString(directory.resolve("web.conf"), "max-transfers = 7");
        assertEquals(7, engine(load("--name=web")).maxTransfers());
        assertEquals(7, engine(load(Map.of("SENDFILED_NAME", "web"))).maxTransfers());
        assertEquals(1000, engine(load()).maxTransfers(), "no default.conf is no fault");
        assertEquals(List.of(directory.resolve("web.conf")), load("--name=web").files());
    }

    @Test
    void shouldReadAnotherFileInstead() throws Exception {
        Files.writeString(file, "max-transfers = 1");
        Path other = Files.writeString(directory.resolve("other"), "max-transfers = 2\nname = x");
        assertEquals(2, engine(load("--config=" + other)).maxTransfers());
        assertEquals(
                "x", engine(load(Map.of("SENDFILED_CONFIG", other.toString()))).name());
        assertEquals(1000, engine(load("--config=/dev/null")).maxTransfers());
    }

    @Test
    void shouldDemandTheFileThatItHasReadOnce() throws Exception {
        Files.writeString(file, "max-transfers = 1");
        ConfigSources sources = new ConfigSources(CommandLine.parse(), Map.of(), false, directory);
        sources.load();
        Files.delete(file);
        UsageException gone = assertThrows(UsageException.class, sources::load);
        assertEquals(List.of(file + ": no such file or directory (ENOENT)"), gone.problems());

        ConfigSources without = new ConfigSources(CommandLine.parse(), Map.of(), false, directory);
        without.load();
        Files.writeString(file, "max-transfers = 4");
        assertEquals(4, engine(without.load()).maxTransfers(), "a new file counts");
    }

    // ------------------------------------------------------------------ the file

    @Test
    void shouldTakeTheSameUnitsAsTheCommandLine() throws Exception {
        SendfiledConfig engine = engine(write("open-timeout = 2500\nidle-timeout = 2m\nquantum = 64KiB\nbuffer = 1MB\n"
                + "memory : \"1G\", client-memory=4096\nfollow-root = yes"));
        assertEquals(2500, engine.openTimeoutMs());
        assertEquals(120_000, engine.idleTimeoutMs());
        assertEquals(64 << 10, engine.quantumBytes());
        assertEquals(1_000_000, engine.bufferBytes());
        assertEquals(1L << 30, engine.memoryBytes());
        assertEquals(4096, engine.clientMemoryBytes());
        assertTrue(engine.followRoot());
    }

    @Test
    void shouldTakeAListWhereTheCommandLineHasCommas() throws Exception {
        assertEquals(
                2,
                engine(write("techniques = [\"pipe=splice\", \"any=read-write\"]"))
                        .techniques()
                        .rules()
                        .size());
    }

    @Test
    void shouldKeepTheBytesOfNames() throws Exception {
        byte[] name = {'/', 's', (byte) 0xff, (byte) 0xc3, (byte) 0xa4, '"', '/', (byte) 0x80};
        Files.write(
                file,
                ("root = \"" + new String(name, StandardCharsets.ISO_8859_1).replace("\"", "\\\"") + "\"")
                        .getBytes(StandardCharsets.ISO_8859_1));
        assertEquals(Names.text(name), Names.text(Names.bytes(engine(load()).root())));

        Files.writeString(file, "root = \"${X}/y\"\nroot = ${X}/y");
        byte[] variable = {'/', (byte) 0xfe};
        Path root = engine(load(Map.of("X", Names.text(variable)))).root();
        assertEquals(Names.text(new byte[] {'/', (byte) 0xfe, '/', 'y'}), Names.text(Names.bytes(root)));
    }

    @Test
    void shouldLetIncludedFilesTellTheirOwnLines() throws Exception {
        Path more = Files.writeString(directory.resolve("more"), "\n\nloops = 3\nmax-transfers = many");
        Files.writeString(file, "include \"more\"\ninclude \"missing\"\nloops = 2");
        assertEquals(List.of(more + ": 4: max-transfers: 'many' is not a number (1..1000000)"), problems(Map.of()));

        Files.writeString(more, "loops = 3");
        ProgramConfig program = load();
        assertEquals(2, engine(program).loops(), "the last one counts");
        assertEquals(List.of(file, more), program.files());
    }

    @Test
    void shouldForgetWhatIsNull() throws Exception {
        assertFalse(write("user = www\nuser = null").isSet(Setting.USER));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "max-transfers = lots | : 1: max-transfers: 'lots' is not a number (1..1000000)",
                "max-transfers = 1.5 | : 1: max-transfers: '1.5' is not a number (1..1000000)",
                "loops = 99 | : 1: loops: 99 is out of range (1..8)",
                "sandbox = maybe | : 1: sandbox: 'maybe' is not one of on, off, auto",
                "max-transfer = 5 | : 1: max-transfer: unknown key (did you mean max-transfers?)",
                "maxTransfers = 5 | : 1: maxTransfers: unknown key (did you mean max-transfers?)",
                "frobnicate = 5 | : 1: frobnicate: unknown key (see sendfiled.conf(5))",
                "config = /x | : 1: config: unknown key (see sendfiled.conf(5))",
                "limits { loops = 2 } | : 1: limits: unknown section (a key stands by itself, in no section)",
                "loops.max = 2 | : 1: loops: needs one value, and has a section",
                "loops = [1, 2] | : 1: loops: needs one value, and has a list",
                "techniques = [[1]] | : 1: techniques: the list has something that is no text",
                "root = srv | : 1: root: 'srv' does not begin with a slash: a file is in no working directory",
                "name = web | : 1: name: 'web' is not the instance whose file this is, 'default': a file of another name belongs to --config",
                "root = ${NOWHERE} | : 1: Could not resolve substitution to a value: ${NOWHERE}",
                "include classpath(\"x\") | : includes from a class path; only files can be included",
                "include url(\"file:///etc/passwd\") | : includes a URL; only files can be included",
                "include required(\"gone\") | /gone: no such file or directory (ENOENT)",
                "include \"default.conf\" | : includes more than 16 files inside of each other, or itself",
            })
    void shouldTellFileLineKeyValueAndWhatIsAllowed(String line, String problem) throws Exception {
        String place = problem.startsWith("/") ? directory.toString() : file.toString();
        assertEquals(List.of(place + problem), problems(line));
    }

    @Test
    void shouldTellWhatIsNoHocon() throws Exception {
        String problem = problems("loops = 1\nmax-transfers = {").get(0);
        assertTrue(problem.startsWith(file + ": 2: "), problem);
        assertEquals(List.of(file + ": has too many brackets inside of each other"), problems("[".repeat(60_000)));
    }

    /** It would end a daemon that reads it again at SIGHUP: an exhausted heap is its end. */
    @Test
    void shouldRefuseTextThatSubstitutionsMakeTooLong() throws Exception {
        assertEquals(
                List.of(file + ": has 60 substitutions, ${...}, which can make too much of so long a text"),
                problems("name = x\n" + "name = ${name}${name}\n".repeat(30)));
        Files.writeString(file, "root = ${HOME}/files\n" + "user = ${?ACCOUNT}\n".repeat(11));
        assertEquals(Path.of("/h/files"), engine(load(Map.of("HOME", "/h"))).root());
    }

    @Test
    void shouldTellAllProblemsAtOnce() throws Exception {
        Files.writeString(file, "loops = 0\nfrob = 1\nquantum = x");
        assertEquals(
                List.of(
                        "SENDFILED_LOOP: unknown variable (did you mean SENDFILED_LOOPS?)",
                        file + ": 2: frob: unknown key (see sendfiled.conf(5))",
                        "SENDFILED_BUFFER: 'x' is not a number of bytes (4KiB..16MiB)",
                        "--max-transfers: 0 is out of range (1..1000000)"),
                problems(Map.of("SENDFILED_BUFFER", "x", "SENDFILED_LOOP", "2"), "-n0"));
        Files.writeString(file, "loops = 0\nquantum = x");
        assertEquals(2, problems(Map.of()).size());
    }

    // ------------------------------------------------------------------ what is no file

    @Test
    void shouldRefuseWhatIsNoRegularFileAndWaitForNobody() throws Exception {
        Path fifo = directory.resolve("fifo");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        assertEquals(List.of(fifo + ": is a FIFO, and not a regular file"), problems(Map.of(), "-c" + fifo));
        assertEquals(
                List.of(directory + ": is a directory, and not a regular file"), problems(Map.of(), "-c" + directory));
        assertEquals(
                List.of("/dev/zero: is a device or a socket, and not a regular file"),
                problems(Map.of(), "--config=/dev/zero"));
        assertEquals(
                List.of(directory + "/gone: no such file or directory (ENOENT)"),
                problems(Map.of("SENDFILED_CONFIG", directory + "/gone")));
        assertEquals(List.of("--config: '' is not a path: an empty name"), problems(Map.of(), "--config="));
    }

    @Test
    void shouldRefuseWhatIsTooLargeWithAllThatItIncludes() throws Exception {
        String tooLarge = ": the configuration is larger than 64KiB, with all that it includes";
        assertEquals(List.of(file + tooLarge), problems("#".repeat((64 << 10) + 1)));
        write("#".repeat(64 << 10));
        Path half = Files.writeString(directory.resolve("half"), "#".repeat(40_000));
        assertEquals(List.of(half + tooLarge), problems("include \"half\"\n".repeat(2)));
    }

    @Test
    void shouldReadNothingAsRootThatOthersMayChange() throws Exception {
        assumeTrue(owner(directory) == 0, "not root: the files of this test are another user's");
        Files.writeString(file, "include \"more\"");
        Path more = Files.writeString(directory.resolve("more"), "");
        ConfigSources sources = new ConfigSources(CommandLine.parse(), Map.of(), true, directory);
        sources.load();
        Files.setAttribute(more, "unix:mode", 0664);
        expectRefusal(sources, more + ": " + more + " may be written by others (owner uid 0, mode 0664)");
        Files.setAttribute(more, "unix:mode", 0600);
        Files.setAttribute(more, "unix:uid", 1234);
        expectRefusal(sources, more + ": " + more + " belongs to another user (owner uid 1234, mode 0600)");
        Files.setAttribute(more, "unix:uid", 0);
        Files.setAttribute(directory, "unix:mode", 0777);
        expectRefusal(sources, file + ": " + directory + " may be written by others (owner uid 0, mode 0777)");
    }

    private static void expectRefusal(ConfigSources sources, String beginning) {
        String problem =
                assertThrows(UsageException.class, sources::load).problems().get(0);
        assertTrue(problem.startsWith(beginning + ", who could decide what root starts: "), problem);
    }

    private static int owner(Path path) throws IOException {
        return (Integer) Files.getAttribute(path, "unix:uid");
    }

    // ------------------------------------------------------------------ the environment

    @Test
    void shouldLeaveVariablesOfOthersAlone() throws Exception {
        Map<String, String> others = Map.of(
                "SENDFILED_JAVA_OPTS", "-Xint",
                "SENDFILED_SERVICE_HOST", "10.0.0.1",
                "SENDFILED_PORT", "tcp://10.0.0.1:80",
                "SENDFILED_PORT_80_TCP_ADDR", "10.0.0.1",
                "SENDFILED_LOOPS", "");
        ProgramConfig program = load(others);
        assertTrue(Arrays.stream(Setting.values()).noneMatch(program::isSet));
    }

    @ParameterizedTest
    @CsvSource({
        "SENDFILED_MAX_TRANSFER, SENDFILED_MAX_TRANSFERS",
        "SENDFILED_GRUOP, SENDFILED_GROUP",
        "SENDFILED_max_transfers, SENDFILED_MAX_TRANSFERS",
    })
    void shouldRefuseAVariableThatIsMisspelt(String name, String meant) {
        assertEquals(List.of(name + ": unknown variable (did you mean " + meant + "?)"), problems(Map.of(name, "1")));
    }

    @Test
    void shouldTakeAllowRootOfTheEnvironmentAsBefore() throws Exception {
        assertTrue(load(Map.of("SENDFILED_ALLOW_ROOT", "1")).allowRoot());
        assertFalse(load(Map.of("SENDFILED_ALLOW_ROOT", "0")).allowRoot());
    }

    // ------------------------------------------------------------------ printing

    @Test
    void shouldPrintAFileThatGivesTheSameSettings() throws Exception {
        byte[] root = {'/', 's', (byte) 0xff, ' ', '"', '$', '#', (byte) 0xc3, (byte) 0xa4, '\\'};
        ProgramConfig program = load(
                Map.of("SENDFILED_QUANTUM", "64k", "SENDFILED_ROOT", Names.text(root)),
                "-dn7",
                "-ustrange",
                "--allow-users=a, b",
                "--techniques=any<=5=mmap,pipe=splice",
                "--name=a\"b");
        String printed = ConfigPrinter.text(program, engine(program));
        Path other = Files.write(directory.resolve("printed"), Names.bytes(printed));
        ProgramConfig again = load("--config=" + other);

        assertEquals(withoutComments(printed), withoutComments(ConfigPrinter.text(again, engine(again))));
        assertEquals(engine(program).toString(), engine(again).toString());
        assertEquals("strange", again.user());
        assertTrue(printed.contains("\nallow-users = [\"a\", \"b\"]  # --allow-users\n"), printed);
        assertTrue(printed.contains("\nmax-transfers = 7  # --max-transfers\n"), printed);
        assertTrue(printed.contains("\nquantum = 64KiB  # SENDFILED_QUANTUM\n"), printed);
        assertTrue(printed.contains("\nopen-timeout = 30s  # default\n"), printed);
        assertTrue(printed.contains("\n# group: the user's own\n"), printed);
    }

    private static String withoutComments(String text) {
        return text.replaceAll("(?m)(^|  )#.*$", "");
    }
}
