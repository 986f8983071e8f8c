package io.sendfiled.tools;

import io.sendfiled.jni.ProcessNative;
import io.sendfiled.names.Names;
import io.sendfiled.serve.HttpFileServer;
import io.sendfiled.serve.ServeException;
import io.sendfiled.serve.ServeLimits;
import io.sendfiled.serve.ServeLog;
import io.sendfiled.serve.ServeOptions;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * {@code sfd serve}: an HTTP server of a directory, until a signal ends it. Only this command loads Netty. Main thread, which
 * waits for signals.
 */
final class ServeCommand {
    private static final String DEFAULT_HOST = "127.0.0.1";
    private static final int DEFAULT_PORT = 8080;
    private static final int MOST_PORT = 65_535;
    private static final int MOST_LOOPS = 64;
    private static final int OPEN_FILES = 512;
    private static final int MOST_OPEN_FILES = 65_536;
    private static final Duration OPEN_FILES_AGE = Duration.ofSeconds(1);
    private static final Duration MOST_TIME = Duration.ofHours(1);
    private static final int CONNECTIONS = 4096;
    private static final int MOST_CONNECTIONS = 1_000_000;
    private static final Duration REQUEST_TIME = Duration.ofSeconds(30);
    private static final Duration IDLE_TIME = Duration.ofSeconds(60);

    /** How long answers that are under way may take after the first signal. */
    private static final int DRAIN_MS = 10_000;

    private static final String IGNORED = "SigIgn:";

    private ServeCommand() {}

    static void run(Arguments arguments, StandardOutput out, Report report) throws SfdException, IOException {
        ServeOptions options = options(arguments);
        boolean hangsUp = !ignoresHangup();
        ServeLog.begin(System.err);
        try (HttpFileServer server = start(options)) { // which may wait; a signal ends the process meanwhile
            int signals = Errno.check(ProcessNative.openSignals(), "handle signals");
            try {
                out.print("serving " + SfdException.printable(arguments.words().get(0)) + " at " + server.url() + "\n");
                if (!server.isLocal()) {
                    report.progress("whoever reaches " + options.host() + " can read all of it that this user can");
                }
                await(signals, hangsUp, server, -1);
                server.drain(() -> ProcessNative.wakeSignals(signals));
                await(signals, hangsUp, server, DRAIN_MS);
            } finally {
                ProcessNative.closeSignals(signals);
            }
        }
    }

    private static HttpFileServer start(ServeOptions options) throws SfdException, IOException {
        try {
            return HttpFileServer.start(options);
        } catch (ServeException e) {
            throw new SfdException(String.valueOf(e.getMessage()), ExitCode.of(e.errno(), 0), e.errno(), 0, e);
        } catch (NoClassDefFoundError e) {
            throw SfdException.failed(
                    "serve needs the jars of Netty, netty/netty-*.jar beside the jar of this program: "
                            + e.getMessage());
        }
    }

    private static ServeOptions options(Arguments arguments) throws SfdException {
        String certificate = arguments.value(OptionSpec.CERTIFICATE);
        String key = arguments.value(OptionSpec.KEY);
        if ((certificate == null) != (key == null)) {
            throw SfdException.usage(
                    certificate == null
                            ? "--key: needs --cert, its certificate"
                            : "--cert: needs --key, its private key");
        }
        return new ServeOptions(
                path(arguments.words().get(0), "DIR"),
                host(arguments.value(OptionSpec.HOST)),
                number(arguments, OptionSpec.PORT, 0, MOST_PORT, DEFAULT_PORT),
                arguments.isSet(OptionSpec.LIST),
                header(arguments.value(OptionSpec.CACHE_CONTROL)),
                certificate == null ? null : path(certificate, "--cert"),
                key == null ? null : path(key, "--key"),
                log(arguments.value(OptionSpec.ACCESS_LOG)),
                loops(arguments),
                number(arguments, OptionSpec.OPEN_FILES, 0, MOST_OPEN_FILES, OPEN_FILES),
                openFilesAge(arguments),
                limits(arguments));
    }

    /** Without the brackets that it has in a URL. */
    private static String host(@Nullable String text) throws SfdException {
        if (text == null) {
            return DEFAULT_HOST;
        }
        if (text.isBlank()) {
            throw SfdException.usage("--host: '" + text + "' is no name and no address of this machine");
        }
        return text.startsWith("[") && text.endsWith("]") ? text.substring(1, text.length() - 1) : text;
    }

    private static int loops(Arguments arguments) throws SfdException {
        int standard = Math.min(Runtime.getRuntime().availableProcessors(), MOST_LOOPS);
        return number(arguments, OptionSpec.LOOPS, 1, MOST_LOOPS, standard);
    }

    private static Duration openFilesAge(Arguments arguments) throws SfdException {
        boolean isNone = "0".equals(arguments.value(OptionSpec.OPEN_FILES_AGE));
        return isNone ? Duration.ZERO : time(arguments, OptionSpec.OPEN_FILES_AGE, OPEN_FILES_AGE);
    }

    private static ServeLimits limits(Arguments arguments) throws SfdException {
        return new ServeLimits(
                number(arguments, OptionSpec.MAX_CONNECTIONS, 1, MOST_CONNECTIONS, CONNECTIONS),
                time(arguments, OptionSpec.REQUEST_TIMEOUT, REQUEST_TIME),
                time(arguments, OptionSpec.IDLE_TIMEOUT, IDLE_TIME));
    }

    private static Duration time(Arguments arguments, OptionSpec option, Duration standard) throws SfdException {
        String text = arguments.value(option);
        return text == null ? standard : OptionValue.time(option, text, MOST_TIME);
    }

    private static int number(Arguments arguments, OptionSpec option, int least, int most, int standard)
            throws SfdException {
        String text = arguments.value(option);
        return text == null ? standard : OptionValue.number(option, text, least, most);
    }

    private static Path path(String text, String what) throws SfdException {
        try {
            return Names.path(text);
        } catch (InvalidPathException e) {
            throw SfdException.usage(what + ": '" + SfdException.printable(text) + "' is no path");
        }
    }

    private static @Nullable Path log(@Nullable String text) throws SfdException {
        return text == null ? null : path(text, "--access-log");
    }

    private static @Nullable String header(@Nullable String text) throws SfdException {
        if (text != null && (text.isBlank() || text.chars().anyMatch(c -> c < ' ' || c >= 127))) {
            throw SfdException.usage("--cache-control: '" + SfdException.printable(text)
                    + "' is not the value of a header, such as max-age=3600");
        }
        return text;
    }

    /** Until a signal ends it, or nobody is left to be waited for; no longer than that, if it is not negative. */
    private static void await(int signals, boolean hangsUp, HttpFileServer server, int limitMs) throws IOException {
        long start = System.nanoTime();
        while (true) {
            long passedMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
            int leftMs = limitMs < 0 ? -1 : (int) Math.max(0, limitMs - passedMs);
            int signal = Errno.check(ProcessNative.awaitSignal(signals, leftMs), "wait for signals");
            if (signal == ProcessNative.SIGUSR1) {
                server.reopenLog();
            } else if (ProcessNative.ends(signal) || (signal == ProcessNative.SIGHUP && hangsUp) || leftMs == 0) {
                return;
            }
        }
    }

    /** Whether it was started by {@code nohup}, which goes on when the terminal has gone. */
    private static boolean ignoresHangup() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith(IGNORED)) {
                    long mask = Long.parseUnsignedLong(
                            line.substring(IGNORED.length()).strip(), 16);
                    return (mask & 1L << (ProcessNative.SIGHUP - 1)) != 0;
                }
            }
        } catch (IOException e) {
            return false; // no /proc
        }
        return false;
    }
}
