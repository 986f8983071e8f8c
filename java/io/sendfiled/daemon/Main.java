package io.sendfiled.daemon;

import io.sendfiled.base.SystemLog;
import io.sendfiled.names.Invocation;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;

/** The program {@code sendfiled}: a command line around the engine. */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        SystemLog.divert(System.err);
        OutputStream out = new FileOutputStream(FileDescriptor.out); // System.out keeps its failures to itself
        System.exit(new DaemonProgram(Invocation.environment(), out, System.err).run(Invocation.arguments(args)));
    }
}
