package io.sendfiled.system.protocol;

import io.sendfiled.support.Await;
import io.sendfiled.support.HelperProgram;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A client as a process of its own, perhaps in namespaces of its own or as another user, that obeys a test: {@code
 * test-native/support/tenant.c}, which says what it can do.
 */
final class Tenant implements AutoCloseable {
    /** Goes on, after the tenant itself has ended, until its input ends. */
    private static final String FIRST_PROCESS = "\"$@\"; cat";

    private final Process process;
    private final BufferedReader answers;
    private final Writer commands;

    /**
     * Starts one for the daemon at {@code socket}.
     *
     * @param unshare options of unshare(1), such as {@code --pid}; none: it shares everything with the test
     */
    Tenant(Path socket, String... unshare) throws IOException {
        this(List.of(), socket, unshare);
    }

    private Tenant(List<String> before, Path socket, String... unshare) throws IOException {
        List<String> command = new ArrayList<>(before);
        if (unshare.length > 0) {
            command.addAll(List.of("unshare", "--fork", "--kill-child"));
            command.addAll(List.of(unshare));
            command.addAll(List.of("sh", "-c", FIRST_PROCESS, "sh")); // with the first one a pid namespace ends
        }
        command.addAll(HelperProgram.command("tenant", socket));
        process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        answers = process.inputReader();
        commands = process.outputWriter();
    }

    /** Starts one as another user, with one group and no others; only root can. */
    static Tenant as(int uid, int gid, Path socket, String... unshare) throws IOException {
        return new Tenant(
                List.of("setpriv", "--reuid=" + uid, "--regid=" + gid, "--clear-groups", "--"), socket, unshare);
    }

    /** The process, unless it has a pid namespace of its own. */
    long pid() {
        return process.pid();
    }

    /** Gives a command, and its answer. */
    String ask(String command) throws IOException {
        commands.write(command + "\n");
        commands.flush();
        String answer = answers.readLine();
        if (answer == null) {
            throw new IOException("no answer to " + command);
        }
        return answer;
    }

    /** Opens `small`: its id, as {@link #ask} gives an errno instead. */
    boolean opens() {
        try {
            return isId(ask("open"));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static boolean isId(String answer) {
        return answer.chars().allMatch(Character::isDigit);
    }

    /** Waits until the process itself has ended, while its child lives on. */
    void awaitEnd() {
        Await.until("the end of a client", () -> !process.isAlive());
    }

    /** Ends it, and what it has left behind. */
    @Override
    public void close() throws IOException {
        commands.close();
        awaitEnd();
        answers.close();
    }
}
