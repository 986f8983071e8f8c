package io.sendfiled.support;

import io.sendfiled.client.SendfiledClient;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** Programs of the test tree that are run by a JVM of their own, checked as the daemons are. */
public final class JavaProgram {
    /** The first that warns about native access which nobody has allowed. */
    private static final int WARNS = 24;

    private JavaProgram() {}

    /** The command line of a class. */
    public static List<String> command(Class<?> main) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        String checks = System.getenv("SENDFILED_JAVA_OPTS");
        if (checks != null) { // what the VM has to say goes to its log: standard output is the program's
            command.addAll(Arrays.asList(checks.split(" ")));
            command.addAll(List.of("-XX:+UnlockDiagnosticVMOptions", "-XX:-DisplayVMOutput"));
        }
        if (Runtime.version().feature() >= WARNS) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")); // short lives on a small machine
        String library = System.getProperty("sendfiled.library.path");
        if (library != null) {
            command.add("-Dsendfiled.library.path=" + Path.of(library).toAbsolutePath());
        }
        command.addAll(List.of("-cp", whereIs(main) + ":" + whereIs(SendfiledClient.class), main.getName()));
        return command;
    }

    private static Path whereIs(Class<?> type) {
        CodeSource source = Objects.requireNonNull(type.getProtectionDomain().getCodeSource());
        return Path.of(source.getLocation().getPath());
    }
}
