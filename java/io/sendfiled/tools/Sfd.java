package io.sendfiled.tools;

import io.sendfiled.client.SendfiledClient;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.names.Invocation;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;

/**
 * The program {@code sfd}: reads, sends and looks at files through a sendfiled daemon.
 *
 * <p>A command line around {@link SendfiledClient}. Data go to standard output, everything else to standard error. Code
 * that not every run needs (JSON, the progress bar) is loaded on demand, so that the program starts fast.
 */
public final class Sfd {
    private final StandardOutput out;
    private final PrintStream err;
    private final UnderWay underWay = new UnderWay();

    /**
     * @param out for data; a {@link FileOutputStream} is written to through its channel
     * @param err for messages
     */
    public Sfd(OutputStream out, PrintStream err) {
        this.out = new StandardOutput(out);
        this.err = err;
    }

    /** Runs a command and ends the JVM with its exit status. */
    public static void main(String[] args) {
        Sfd sfd = new Sfd(new FileOutputStream(DataDescriptor.get()), System.err);
        Runtime.getRuntime()
                .addShutdownHook(
                        new Thread("sfd-shutdown") { // no lambda: the first one costs 3 ms
                            @Override
                            public void run() {
                                sfd.onShutdown();
                            }
                        });
        int status = sfd.run(Invocation.arguments(args));
        sfd.underWay.end(); // from here on there is no transfer to interrupt
        if (status != ExitCode.OK) { // JDK 25 asks its loggers before each exit, which takes it 10 ms
            System.exit(status);
        }
    }

    /** Runs a command; gives one of the statuses of {@link ExitCode}. Blocks until it is done. */
    public int run(String... args) {
        Arguments arguments;
        try {
            arguments = Arguments.parse(args);
        } catch (SfdException e) {
            err.println("sfd: " + e.getMessage());
            return e.exitCode();
        }
        if (arguments.help()) {
            return print(HelpText.of(arguments.command()));
        }
        if (arguments.version()) {
            return print("sfd " + NativeLibrary.version() + "\n");
        }
        if (arguments.requiredCommand() == Command.TECHNIQUES) {
            return print(arguments.isSet(OptionSpec.JSON) ? TechniquesCommand.json() : TechniquesCommand.text());
        }
        Report report = new Report(arguments, out, err);
        try {
            if (arguments.requiredCommand() == Command.DOCTOR) {
                return DoctorCommand.run(arguments, report);
            }
            runCommand(arguments, report);
            return ExitCode.OK;
        } catch (SfdException e) {
            return fail(report, e);
        } catch (IOException e) {
            return fail(report, Failure.of(arguments, e));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return ExitCode.INTERRUPTED;
        }
    }

    private void runCommand(Arguments arguments, Report report) throws SfdException, IOException, InterruptedException {
        switch (arguments.requiredCommand()) {
            case COUNTERS -> CountersCommand.run(arguments, out);
            case TOP -> TopCommand.run(arguments, out);
            case PING -> PingCommand.run(arguments, report);
            case DRAIN -> DrainCommand.run(arguments, report);
            case UPGRADE -> UpgradeCommand.run(arguments, report);
            case CANCEL -> CancelCommand.run(arguments, report);
            case SERVE -> ServeCommand.run(arguments, out, report);
            case DUMP -> DumpCommand.run(arguments, out, report);
            default -> transfer(arguments, report);
        }
    }

    private void transfer(Arguments arguments, Report report) throws SfdException, IOException, InterruptedException {
        try (SendfiledClient client = arguments.connect()) {
            switch (arguments.requiredCommand()) {
                case READ -> ReadCommand.run(arguments, client, underWay, out, report);
                case SEND -> SendCommand.run(arguments, client, underWay, report);
                case STAT -> StatCommand.run(arguments, client, report);
                default -> throw new IllegalStateException("moves no file");
            }
        }
    }

    private int fail(Report report, SfdException failure) {
        if (underWay.isCancelled()) {
            return ExitCode.INTERRUPTED; // the shutdown hook reports it
        }
        report.failure(failure, underWay.kept(failure.bytesMoved() > 0));
        return failure.exitCode();
    }

    private int print(String text) {
        try {
            out.print(text);
            return ExitCode.OK;
        } catch (SfdException e) {
            err.println("sfd: " + e.getMessage());
            return e.exitCode();
        }
    }

    /** Ctrl-C: the daemon has the destination too, so the transfer must be cancelled there, before what it has written goes. */
    private void onShutdown() {
        boolean cancelled = underWay.cancel();
        underWay.abandonOutput();
        if (cancelled) {
            String kept = underWay.kept(true);
            err.println("sfd: interrupted" + (kept == null ? "" : Report.where(kept)));
        }
    }
}
