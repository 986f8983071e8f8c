package io.sendfiled.support;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The tests' native programs, {@code test-native/support/*.c}: where they are, and running one to its end. */
public final class HelperProgram {
    private HelperProgram() {}

    /** Where a program is. */
    public static Path path(String name) {
        return Path.of(System.getProperty("sendfiled.test.bin", "target/cmake/bin"), name)
                .toAbsolutePath();
    }

    /** Where a library is that can be preloaded into a program: {@code test-native/support/preload/*.c}. */
    public static Path preload(String name) {
        return path("../lib/lib" + name + ".so").normalize();
    }

    public static boolean exists(String name) {
        return Files.isExecutable(path(name));
    }

    /** The command line of a program. */
    public static List<String> command(String name, Object... arguments) {
        List<String> command = new ArrayList<>(List.of(path(name).toString()));
        for (Object argument : arguments) {
            command.add(argument.toString());
        }
        return command;
    }

    /** Starts one; its standard error is the test's, its standard input is empty. */
    public static Process start(String name, Object... arguments) throws IOException {
        Process process = new ProcessBuilder(command(name, arguments))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        process.getOutputStream().close();
        return process;
    }

    /** Waits for the end of one that prints a line of JSON. */
    public static JsonObject json(Process process) throws IOException {
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return JsonParser.parseString(output).getAsJsonObject();
    }

    /**
     * What one of the system's programs prints, without the white space around it.
     *
     * @throws IOException if it ends with another status than 0
     */
    public static String output(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + " failed");
        }
        return output.strip();
    }
}
