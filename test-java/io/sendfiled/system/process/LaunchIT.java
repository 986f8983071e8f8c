package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.Lengthy;
import io.sendfiled.support.Scale;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The launchers: where the programs may be installed and started, and what the JVM says and is told. */
final class LaunchIT extends ProgramTestCase {
    private static final Path LAUNCHERS = Program.LAUNCHER.resolveSibling("");
    private static final List<String> PROGRAMS = List.of("sendfiled", "sfd");
    private static final String SFD = Program.LAUNCHER.resolveSibling("sfd").toString();
    private static final Path TREE = Program.LAUNCHER.resolveSibling("..").normalize();
    private static final String VERSION = "sfd 0.1.0\n";

    /** Standard output of a command that ends well. */
    private String output(Map<String, String> environment, String... command) throws Exception {
        Map<String, String> all = new HashMap<>(Program.ALLOW_ROOT);
        all.putAll(environment);
        try (Program program = Program.start(scratch, List.of(command), all)) {
            String output = program.output();
            assertEquals(0, program.awaitExit(), program.errors());
            return output + program.errors();
        }
    }

    private String shell(String line, String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", line, "sh"));
        command.addAll(List.of(words));
        return output(Map.of(), command.toArray(String[]::new));
    }

    private Path copyOfTheTree(String name) throws IOException, InterruptedException {
        Path copy = scratch.resolve(name);
        HelperProgram.output("cp", "-a", TREE.toString(), copy.toString());
        return copy;
    }

    /** All at once: whatever divides or escapes in a class path, a URL or a shell. */
    @Test
    void shouldRunFromADirectoryOfAnyName() throws Exception {
        Path tree = copyOfTheTree("a b:c?#%41\n!'\"$ü\\;!");
        String script = "set -e; umask 077; mkdir t; \"$1/bin/sendfiled\" -d -S \"$PWD/t\" -r root 2>t/said\n"
                + "trap 'kill $(cat t/*.lock)' EXIT; \"$1/bin/sfd\" read file -S t; \"$1/bin/sfd\" --version";
        assertEquals("the content" + VERSION, shell(script, tree.toString()));
    }

    @Test
    void shouldRunFromALinkToTheLauncherAndFromARelativeName() throws Exception {
        String line = "ln -s \"$1\" link; ./link --version; rm link; cd \"${1%/*}\" && ./sfd --version";
        assertEquals(VERSION + VERSION, shell(line, SFD));
    }

    @Test
    void shouldKeepWhatTheJvmSaysOutOfTheData() throws Exception {
        Map<String, String> says = Map.of("SENDFILED_JAVA_OPTS", "-Xlog:class+load:stdout -XX:+PrintFlagsFinal");
        Content big = Content.write(root.resolve("big"), 4 << 20);
        try (Program daemon = start();
                Program sfd = Program.start(scratch, List.of(SFD, "read", "big", "-S", "s", "-s", "a"), says)) {
            Await.until("the data", () -> sfd.available() > 0); // it waits for room in the pipe now
            sfd.signal("QUIT");
            Await.until("the threads", () -> sfd.errorsSoFar().contains("Full thread dump"));
            assertEquals(big, Content.of(sfd.report()));
            assertEquals(0, sfd.awaitExit());
            assertTrue(sfd.errors().contains("UseSerialGC"), "it has said nothing");
            assertTrue(daemon.isAlive());
        }
    }

    /** Data and the report of the end would mix on one terminal, but not here. */
    @Test
    void shouldReportOnATerminalWhenTheDataGoElsewhere() throws Exception {
        SystemProgram.require("script");
        try (Program daemon = start()) {
            String command = SFD + " read file -S s -s a >out";
            String told = output(Map.of(), "script", "-qec", command, "/dev/null");
            assertTrue(told.startsWith("file: 11 bytes in "), told);
            assertEquals("the content", Files.readString(scratch.resolve("out")));
            assertTrue(daemon.isAlive());
        }
    }

    @Test
    void shouldStartWhateverOtherJavaProgramsAreTold() throws Exception {
        Map<String, String> others = Map.of(
                "JAVA_TOOL_OPTIONS", "-XX:+UseParallelGC -Xlog:gc*",
                "JDK_JAVA_OPTIONS", "-XX:+UseG1GC -Xms2g",
                "_JAVA_OPTIONS", "-XX:+UseParallelGC -Xms1g");
        Map<String, String> ours = Map.of("SENDFILED_JAVA_OPTS", "-XX:+UseParallelGC");
        for (Map<String, String> environment : List.of(others, ours)) {
            assertEquals(VERSION, output(environment, SFD, "--version"));
            assertEquals("sendfiled 0.1.0\n", output(environment, Program.LAUNCHER.toString(), "--version"));
        }
    }

    @Test
    void shouldRunWhereTheWorkingDirectoryWasRemoved() throws Exception {
        try (Program daemon = start()) {
            String script = "mkdir gone; cd gone; rmdir ../gone; exec 2>/dev/null\n" // the shell complains
                    + "\"$1\" read file -S \"$2/s\" -s a -o \"$2/absolute\" && cat \"$2/absolute\"\n"
                    + "\"$1\" read file -S \"$2/s\" -s a -o relative; echo \" $?\"";
            assertEquals("the content 1", shell(script, SFD, scratch.toString()).strip());
            assertTrue(daemon.isAlive());
        }
        String script = "mkdir gone; cd gone; rmdir ../gone; exec \"$@\"";
        try (Program daemon = Program.shell(scratch, script, arguments())) {
            daemon.awaitServing(socket());
            assertEquals("the content", read());
        }
    }

    @Test
    void shouldWriteIntoAWorkingDirectoryThatIsDeeperThanAnyName() throws Exception {
        try (Program daemon = start()) {
            String script =
                    "d=$(printf %0250d 0); i=0; while [ $i -lt 20 ]; do mkdir $d; cd -P ./$d; i=$((i+1)); done\n"
                            + "exec 2>/dev/null; \"$1\" read file -S \"$2/s\" -s a -o out && cat out";
            assertEquals("the content", shell(script, SFD, scratch.toString()));
            assertTrue(daemon.isAlive());
        } finally {
            shell("rm -rf 00*"); // too deep for the extension that removes the rest
        }
    }

    @Test
    void shouldFailWhereNobodyTakesTheData() throws Exception {
        try (Program daemon = start()) {
            String[] lines = {"\"$@\" >&-", "\"$@\" >/dev/full"};
            for (String line : lines) {
                assertEquals("1\n", shell(line + " 2>err; echo $?", SFD, "read", "file", "-S", "s", "-s", "a"), line);
                assertTrue(Files.readString(scratch.resolve("err")).startsWith("sfd: standard output: "), line);
            }
            assertTrue(daemon.isAlive());
        }
    }

    private static final String LOADS = "-Xlog:class+load:stderr";

    @Lengthy
    @Test
    void shouldMapItsClassesAndDoWithoutWhereTheArchiveIsNoneOfItsOwn() throws Exception {
        Path tree = copyOfTheTree("tree");
        for (String program : PROGRAMS) {
            assertTrue(mapsItsClasses(LAUNCHERS.resolve(program)), program);
            Path archive = archive(tree.resolve("lib/sendfiled"), program);
            for (byte[] content : notItsArchive(tree.resolve("lib/sendfiled"), program)) {
                Files.delete(archive); // it may not be written to
                Files.write(archive, content);
                assertFalse(mapsItsClasses(tree.resolve("bin").resolve(program)), program);
            }
            Files.delete(archive);
            assertFalse(mapsItsClasses(tree.resolve("bin").resolve(program)), program);
        }
    }

    @Lengthy
    @Test
    void shouldMakeTheArchivesAnewForATreeThatIsInstalledElsewhere() throws Exception {
        Path tree = copyOfTheTree("tree");
        Path stale = tree.resolve("lib/sendfiled/sendfiled-another-java.jsa");
        Files.writeString(stale, "of a Java that is no longer there");
        output(Map.of(), tree.resolve("lib/sendfiled/archive-classes.sh").toString());
        for (String program : PROGRAMS) {
            assertTrue(mapsItsClasses(tree.resolve("bin").resolve(program)), program);
        }
        assertFalse(Files.exists(stale));
    }

    /** What would have to be loaded from a jar while a client waits, or while another archive is made. */
    @Test
    void shouldFindEveryClassInTheArchiveUntilTheFirstRequestIsServed() throws Exception {
        List<String> command = new ArrayList<>(List.of(Program.LAUNCHER.toString()));
        command.addAll(List.of(arguments()));
        Map<String, String> environment = new HashMap<>(Program.ALLOW_ROOT);
        environment.put("SENDFILED_JAVA_OPTS", LOADS);
        try (Program daemon = Program.start(scratch, command, environment)) {
            daemon.awaitServing(socket());
            assertEquals("the content", read());
            String loads = daemon.errorsSoFar();
            assertTrue(loads.contains("io.sendfiled.engine.Dispatcher source: shared objects file"), loads);
            assertEquals(
                    List.of(),
                    loads.lines()
                            .filter(line -> line.contains(" source: file:"))
                            .toList());
        }
    }

    /** As an upgrade removes them, before the daemon is started again or because nobody starts it again. */
    @Lengthy
    @Test
    void shouldWorkToTheEndWhenItsFilesWereRemoved() throws Exception {
        Path tree = copyOfTheTree("tree");
        output(Map.of(), tree.resolve("lib/sendfiled/archive-classes.sh").toString());
        List<String> command =
                new ArrayList<>(List.of(tree.resolve("bin/sendfiled").toString()));
        command.addAll(List.of(arguments()));
        try (Program daemon = Program.start(scratch, command, Program.ALLOW_ROOT)) {
            daemon.awaitServing(socket());
            HelperProgram.output("rm", "-r", tree.toString());
            assertEquals("the content", read());
            Files.delete(socket()); // it says so by a class that no start needs
            Await.until(
                    "the message",
                    () -> daemon.errorsSoFar().contains("it is there again")
                            || daemon.errorsSoFar().contains("Error"));
            daemon.signal("TERM");
            assertEquals(0, daemon.awaitExit(), daemon.errors());
            assertFalse(daemon.errors().contains("NoClassDefFoundError"), daemon.errors());
        }
    }

    /** Whatever has its name: nothing, something else, what a full disk has left of it, and that of another program. */
    private static List<byte[]> notItsArchive(Path lib, String program) throws IOException {
        byte[] archive = Files.readAllBytes(archive(lib, program));
        String other = PROGRAMS.get(1 - PROGRAMS.indexOf(program));
        return List.of(
                new byte[0],
                "not an archive".getBytes(StandardCharsets.UTF_8),
                Arrays.copyOf(archive, archive.length / 2),
                Files.readAllBytes(archive(TREE.resolve("lib/sendfiled"), other)));
    }

    /** What a JVM needs for less than any program does. */
    static final class Hello {
        private Hello() {}

        public static void main(String[] args) {
            System.out.println("hello");
        }
    }

    /** By processor time, which a busy machine changes little; alternating, 20 of each. */
    @Test
    void shouldStartInLittleMoreThanAHelloWorld() throws Exception {
        assumeTrue(Scale.all(), "measures");
        String classes = Path.of(LaunchIT.class
                        .getProtectionDomain()
                        .getCodeSource()
                        .getLocation()
                        .toURI())
                .toString();
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        double hello = 0;
        double sfd = 0;
        for (int i = 0; i < 5; i++) {
            hello += secondsOfFour(java, "-cp", classes, Hello.class.getName());
            sfd += secondsOfFour(SFD, "--version");
        }
        double ratio = sfd / hello;
        assertTrue(ratio <= 1.2, "sfd takes " + ratio + " of a hello world");
    }

    private double secondsOfFour(String... command) throws Exception {
        String times = shell("for i in 1 2 3 4; do \"$@\" >/dev/null || exit; done; times", command);
        double seconds = 0;
        for (String time : times.lines().toList().get(1).split(" ")) { // "0m0.12s 0m0.03s" of the children
            int minute = time.indexOf('m');
            seconds += 60 * Double.parseDouble(time.substring(0, minute))
                    + Double.parseDouble(time.substring(minute + 1, time.length() - 1));
        }
        return seconds;
    }

    /** Whether a program that starts, as it has to in any case, maps the class with its main method. */
    private boolean mapsItsClasses(Path launcher) throws Exception {
        String program = launcher.getFileName().toString();
        String output = output(Map.of("SENDFILED_JAVA_OPTS", LOADS), launcher.toString(), "--version");
        assertTrue(output.contains(program + " 0.1.0\n"), output);
        String main = program.equals("sfd") ? "io.sendfiled.tools.Sfd" : "io.sendfiled.daemon.Main";
        assertTrue(output.contains(main + " source: "), output);
        return output.contains(main + " source: shared objects file");
    }

    private static Path archive(Path lib, String program) throws IOException {
        try (Stream<Path> all = Files.list(lib)) {
            List<Path> archives = all.filter(path -> {
                        String name = path.getFileName().toString();
                        return name.startsWith(program + "-") && name.endsWith(".jsa");
                    })
                    .toList();
            assertEquals(1, archives.size(), archives.toString());
            return archives.get(0);
        }
    }
}
