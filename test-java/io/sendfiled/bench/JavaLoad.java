package io.sendfiled.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A running {@link SessionLoad}. Owns its process; not thread-safe. */
final class JavaLoad implements AutoCloseable {
    private final Process process;
    private final BufferedReader answers;

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
     * What it does in so many seconds. Blocks.
     *
     * @param warmup requests before them, which are not measured
     */
    LoadClient.Result measure(int warmup, double seconds) throws IOException {
        OutputStream questions = process.getOutputStream();
        questions.write((warmup + " " + seconds + "\n").getBytes(StandardCharsets.UTF_8));
        questions.flush();
        String json = answers.readLine();
        return LoadClient.parse(json == null ? "" : json, LoadClient.Result.class);
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
