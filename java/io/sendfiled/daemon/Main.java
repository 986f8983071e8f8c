package io.sendfiled.daemon;

import io.sendfiled.names.Invocation;

/** The program {@code sendfiled}: a command line around the engine. */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        System.exit(
                new DaemonProgram(Invocation.environment(), System.out, System.err).run(Invocation.arguments(args)));
    }
}
