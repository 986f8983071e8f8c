package io.sendfiled.daemon;

/** The program {@code sendfiled}: a command line around the engine. */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        System.exit(new DaemonProgram(System.getenv(), System.out, System.err).run(args));
    }
}
