package io.sendfiled.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A running {@link SessionLoad}. Owns its process; not thread-safe. */
final class JavaLoad implements AutoCloseable {
    /** Requests until the JVM has compiled what serves them. */
    private static final int COLD = 400_000;

    private final Process process;
    private final BufferedReader answers;
    private int warmup = COLD;

    private JavaLoad(Process process) {
        this.process = process;
        answers = process.inputReader(StandardCharsets.UTF_8);
    }

    /** Starts it; its requests do not begin yet. */
    static JavaLoad start(List<String> command) throws IOException {
        return new JavaLoad(
                Programs.startAttached(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT)));
    }

    /**
     * What it does in so many seconds. Blocks; the first time until it is warm as well.
     *
     * @param usualWarmup requests that are not measured, of each but the first time
     */
    LoadClient.Result measure(int usualWarmup, double seconds) throws IOException {
        OutputStream questions = process.getOutputStream();
        questions.write((warmup + " " + seconds + "\n").getBytes(StandardCharsets.UTF_8));
        questions.flush();
        warmup = usualWarmup;
        String json = answers.readLine();
        return LoadClient.parse(json == null ? "" : json, LoadClient.Result.class);
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
