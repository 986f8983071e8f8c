package io.sendfiled.tools;

import io.sendfiled.jni.ProcessNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * {@code sfd upgrade}: starts the installed {@code sendfiled} as the daemon that runs was started, with {@code --take-over}
 * and in the background, and waits until it serves. The two daemons do the rest; what is wrong says the new one.
 */
final class UpgradeCommand {
    private static final String LIBRARY_PATH = "sendfiled.library.path";

    /** What runs as root is root's to choose, and not the daemon's: by these it could choose any program. */
    private static final Set<String> OF_WHO_RUNS_IT = Set.of("JAVA_HOME", "SENDFILED_JAVA_OPTS", "TMPDIR");

    /** How the daemon was started. */
    private static final class Started {
        final List<String> arguments = new ArrayList<>();
        final Map<String, String> environment = new LinkedHashMap<>();
        String directory = "/";
        String pid = "";
        int[] ids = {0, 0};

        @Nullable
        String obstacle;
    }

    private UpgradeCommand() {}

    static void run(Arguments arguments, Report report) throws SfdException, IOException, InterruptedException {
        String instance = SfdException.printable(arguments.instance());
        Started started = started(arguments);
        if (started.obstacle != null) {
            throw SfdException.refused(instance, started.obstacle);
        }
        List<String> command = new ArrayList<>();
        command.add(program(arguments));
        command.addAll(started.arguments);
        command.addAll(arguments.words());
        command.addAll(List.of("--take-over", "--daemon"));
        if (isForeign(started)) {
            command.add("--user=" + Integer.toUnsignedString(started.ids[0])); // whatever it says
            command.add("--group=" + Integer.toUnsignedString(started.ids[1]));
            started.environment.keySet().removeAll(OF_WHO_RUNS_IT);
        }
        for (String word : command) {
            demandText(word);
        }
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(new File(started.directory))
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().putAll(started.environment);
        report.progress("starting " + SfdException.printable(command.get(0)) + " beside " + started.pid);
        Process process = builder.start();
        process.getOutputStream().close();
        int status = process.waitFor();
        if (status != 0) {
            throw SfdException.refused(
                    instance, "no upgrade: the new daemon has not started; " + started.pid + " serves on");
        }
        String now = started(arguments).pid;
        report.done(
                "'" + instance + "': " + now + " serves; " + started.pid + " ends with its last transfer",
                Map.of("before", number(started.pid), "now", number(now)));
    }

    /** Whether root, as which this runs, has it from another user how the daemon was started. */
    private static boolean isForeign(Started started) {
        return ProcessNative.effectiveUid() == 0 && started.ids[0] != 0;
    }

    private static Started started(Arguments arguments) throws SfdException, InterruptedException, IOException {
        Started started = new Started();
        try (ControlConnection daemon = ControlConnection.open(arguments)) {
            started.ids = daemon.ids();
            daemon.send("invocation");
            for (@Nullable String line = daemon.line(); line != null; line = daemon.line()) {
                if (ControlConnection.isOk(line)) {
                    started.pid = line.substring("ok ".length());
                    return started;
                }
                String[] words = line.split(" ", 2);
                String value = words.length > 1 ? words[1] : "";
                switch (words[0]) {
                    case "obstacle" -> started.obstacle = value;
                    case "directory" -> started.directory = text(value);
                    case "argument" -> started.arguments.add(text(value));
                    case "environment" -> {
                        String[] pair = text(value).split("=", 2);
                        started.environment.put(pair[0], pair[pair.length - 1]);
                    }
                    default -> {} // of a later version
                }
            }
        }
        throw ControlConnection.ended(arguments.instance());
    }

    private static String text(String hex) {
        return Names.text(HexFormat.of().parseHex(hex));
    }

    private static long number(String pid) {
        return Long.parseLong(pid.substring("pid ".length()));
    }

    private static String program(Arguments arguments) throws SfdException {
        String given = arguments.value(OptionSpec.PROGRAM);
        if (given != null) {
            return Names.absolute(Names.path(given)).toString();
        }
        Path library = Path.of(System.getProperty(LIBRARY_PATH, "/usr/lib/sendfiled"));
        Path program = library.resolve("../../bin/sendfiled").normalize();
        if (!Files.isExecutable(program)) {
            throw new SfdException(
                    SfdException.printable(program.toString()) + " is not there; name it by --"
                            + OptionSpec.PROGRAM.word(),
                    ExitCode.FAILED,
                    Errno.ENOENT,
                    0,
                    null);
        }
        return program.toString();
    }

    /** The JVM starts programs with text only. */
    private static void demandText(String word) throws SfdException {
        if (!Arrays.equals(Names.bytes(word), word.getBytes(StandardCharsets.UTF_8))) {
            throw SfdException.refused(
                    word, "is no UTF-8, and cannot be passed on; start sendfiled with --take-over by hand");
        }
    }
}
