package io.sendfiled.daemon;

import io.sendfiled.base.SystemLog;
import io.sendfiled.names.Invocation;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.util.Map;

/** The program {@code sendfiled}: a command line around the engine. */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        Map<String, String> environment = Invocation.environment();
        ProgramLog log = new ProgramLog(System.err, environment);
        SystemLog.divert(log);
        OutputStream out = new FileOutputStream(FileDescriptor.out); // System.out keeps its failures to itself
        System.exit(new DaemonProgram(environment, out, log).run(Invocation.arguments(args)));
    }
}
