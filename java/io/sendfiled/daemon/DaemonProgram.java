package io.sendfiled.daemon;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.control.ControlCall;
import io.sendfiled.control.ControlCommand;
import io.sendfiled.control.ControlException;
import io.sendfiled.control.ControlServer;
import io.sendfiled.control.ControlSocket;
import io.sendfiled.engine.AccessList;
import io.sendfiled.engine.Engine;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.jni.SuccessionNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The program around the engine: reads the command line, changes the user, starts the engine, reports that it is ready,
 * waits for a signal, stops the engine. Everything that can be embedded is in the engine; the rest is here.
 *
 * <p>Runs on the main thread from start to end. Owns the report descriptor until the report is made.
 */
final class DaemonProgram {
    static final int OK = 0;
    static final int FAILED = 1;
    static final int USAGE = 2;

    private static final int DISK_WAIT_MS = 1000;

    private static final int NO_FD = -1;
    private static final int LOG_MODE = 0600;

    /** Of those that outlive a restart of the machine the one where every user can write. */
    private static final String DEFAULT_LOG_DIRECTORY = "/var/tmp";

    private final Map<String, String> environment;
    private final OutputStream out;
    private final ProgramLog log;
    private boolean reports;
    private List<String> arguments = List.of();
    private ServiceManager service = ServiceManager.none();
    private @Nullable Metrics metrics;

    DaemonProgram(Map<String, String> environment, OutputStream out, ProgramLog log) {
        this.environment = environment;
        this.out = out;
        this.log = log;
    }

    /** Runs to the end and gives the exit status. */
    int run(String[] args) {
        try {
            CommandLine line = CommandLine.parse(args);
            arguments = List.of(args);
            switch (line.action()) {
                case HELP -> print(HelpText.text());
                case VERSION -> print("sendfiled " + NativeLibrary.version() + "\n");
                case RUN, CHECK_CONFIG, PRINT_CONFIG -> run(line);
            }
            return OK;
        } catch (UsageException e) {
            e.problems().forEach(this::fail);
            service.failed(Errno.EINVAL, e.problems().get(0));
            reports = reports || Arrays.asList(args).contains("-" + Setting.SYNC_PARENT.shortName());
            report(Errno.EINVAL);
            return USAGE;
        } catch (StartException e) {
            fail(e.getMessage());
            service.failed(e.errno(), e.getMessage());
            report(e.errno());
            return FAILED;
        } catch (LinkageError e) {
            // No native library: nothing can be reported on the descriptor, only as text.
            fail(e.getMessage());
            return FAILED;
        } finally {
            closeMetrics(); // of a start that has failed
        }
    }

    private void run(CommandLine line) throws StartException, UsageException {
        boolean isRoot = ProcessNative.effectiveUid() == 0;
        if (line.action() == CommandLine.Action.RUN) {
            boolean detached = Boolean.getBoolean(ProcessNative.DETACHED_PROPERTY);
            service = ServiceManager.connect(environment, detached, this::complain);
        }
        ConfigSources sources = new ConfigSources(line, environment, isRoot);
        ProgramConfig settings = sources.load();
        switch (line.action()) {
            case CHECK_CONFIG -> {
                ConfigCheck.demand(settings);
                print("ok\n");
            }
            case PRINT_CONFIG -> print(ConfigPrinter.text(settings, ConfigCheck.build(settings)));
            default -> {
                log.format(settings.logFormat());
                start(sources, settings);
            }
        }
    }

    /** What nobody can read has not been said. */
    private void print(String text) throws StartException {
        try {
            out.write(Names.bytes(text));
            out.flush();
        } catch (IOException e) {
            int errno = Errno.of(e);
            String reason = errno == 0 ? e.getMessage() : Errno.describe(errno);
            throw new StartException(errno, "standard output: " + reason, e);
        }
    }

    private void start(ConfigSources sources, ProgramConfig settings) throws StartException, UsageException {
        boolean detached = Boolean.getBoolean(ProcessNative.DETACHED_PROPERTY);
        if (detached || settings.syncParent()) {
            check(
                    ProcessNative.checkReport(ProcessNative.REPORT_FD),
                    settings.label(Setting.SYNC_PARENT) + ": descriptor " + ProcessNative.REPORT_FD
                            + " is not one that a parent waits on");
            reports = true;
        }
        PassedSocket passed = PassedSocket.of(environment, this::complain);
        if (passed != null) {
            passed.demandForeground(settings);
        }
        demandCalls();
        Identity identity = Identity.decide(settings);
        if (settings.daemonize() && !detached) {
            detach();
            return;
        }
        BlockedSignals.demandNone();
        int signals = check(ProcessNative.openSignals(), "cannot handle signals");
        ProcessNative.unblockOutput();
        AccessList access = resolveAccess(settings); // may need the rights that are given up next
        if (passed != null && !settings.isSet(Setting.SOCKET_DIRECTORY)) {
            settings.engine().socketDirectory(passed.directory());
        }
        String unmade = identity.changes() ? InstanceDirectory.make(settings, identity.uid(), identity.gid()) : null;
        TakeOver takeOver = null;
        Path directory = settings.engine().socketDirectory();
        if (settings.takeOver() && identity.changes() && directory != null) {
            // It is root's right to look into a process that root has started.
            takeOver = takeOver(directory, settings.engine().name(), identity.uid());
        }
        identity.assume();
        OpenFiles openFiles = OpenFiles.raise();
        SendfiledConfig config = openFiles.fit(settings);
        if (unmade != null && !settings.syncParent()) {
            complain(unmade + "; the socket is in " + Names.printable(config.socketDirectory()) + " instead");
        }
        if (passed != null) {
            passed.demandPathOf(config);
        }
        if (settings.takeOver() && takeOver == null) {
            takeOver = takeOver(config.socketDirectory(), config.name(), ProcessNative.effectiveUid());
        }
        if (takeOver != null) {
            passed = demandSame(takeOver, passed);
        }
        int logFd = detached ? openLog(config.name()) : NO_FD;
        if (identity.wasRoot()) {
            RootCheck.demand(settings.label(Setting.ROOT), config.root(), ProcessNative.effectiveUid());
        }
        AccessLog accessLog = openAccessLog(settings);
        metrics = Metrics.open(settings, takeOver != null);
        String missing = Sandbox.enter(
                settings.sandbox(),
                config,
                sources.readable(settings),
                settings.accessLog(),
                metrics == null ? null : metrics.path());
        if (missing != null && !settings.syncParent()) {
            complain("no full sandbox: " + missing);
        }
        Engine engine = prepare(settings, config, access, passed, takeOver);
        Predecessors predecessors =
                takeOver == null ? new Predecessors(engine.handle(), this::complain) : takeOver.predecessors(engine);
        HandOver handOver = new HandOver(
                engine,
                predecessors,
                service.isPresent(),
                obstacle(settings),
                () -> ProcessNative.wakeSignals(signals),
                this::complain);
        Drain drain = new Drain(() -> ProcessNative.wakeSignals(signals), engine::transfers, () -> engine.config()
                .stopTimeoutMs());
        ControlServer control = openControl(
                config,
                takeOver != null,
                Map.of(
                        "about",
                        call -> about(call, engine),
                        "cancel",
                        new CancelTransfer(engine),
                        "drain",
                        drain,
                        "dump",
                        new Dump(engine),
                        "invocation",
                        new StartedAs(arguments, environment, handOver.obstacle()),
                        "ping",
                        call -> pong(engine),
                        "reopen",
                        call -> reopen(accessLog),
                        "upgrade",
                        handOver));
        try {
            if (takeOver == null) {
                Sandbox.close(settings.sandbox());
            }
            if (accessLog != null) {
                engine.addSink(accessLog);
                accessLog.start();
            }
            begin(engine, settings, config);
            if (takeOver != null) {
                takeOver.tryOut(engine);
                takeOver.commit(engine, predecessors, config, () -> Sandbox.close(settings.sandbox()));
                takeNames(control, config);
            }
            if (control != null) {
                control.start();
            }
            if (metrics != null) {
                metrics.start(engine.counters());
            }
            if (!settings.syncParent()) {
                engine.shortcomings().forEach(this::complain);
            }
            ClassPath.open();
            engine.onFailure(() -> ProcessNative.wakeSignals(signals));
            announce(config, settings, detached, logFd);
            service.ready(serving(engine));
            awaitEnd(engine, signals, new ConfigReload(sources, settings, openFiles, engine), accessLog);
            if (!handOver.isDone()) {
                handOver.close(); // or the next one would inherit an end
            }
            if (handOver.isDone()) {
                closeMetrics(); // who asks gets those of the other one
                finish(engine, signals, handOver, accessLog, engine.config().stopTimeoutMs());
            } else {
                drain(engine, signals, drain, predecessors, accessLog);
                drain.end(engine.isDrained() ? 0 : engine.transfers());
                predecessors.end();
            }
        } finally {
            handOver.close();
            predecessors.close();
            if (control != null) {
                close(control); // its name, while the lock of the instance is held
            }
            closeMetrics();
            // A disk task that is still running ends with the process: only its answer is lost.
            engine.end(TimeUnit.MILLISECONDS.toNanos(DISK_WAIT_MS));
            if (accessLog != null) {
                accessLog.close();
            }
        }
    }

    /** As the user that the daemon has become, who opens it again. */
    private @Nullable AccessLog openAccessLog(ProgramConfig settings) throws StartException {
        Path path = settings.accessLog();
        if (path == null) {
            return null;
        }
        try {
            return AccessLog.open(path, settings.logFormat(), log);
        } catch (StartException e) {
            throw new StartException(e.errno(), settings.label(Setting.ACCESS_LOG) + ": " + e.getMessage(), e);
        }
    }

    private static void reopenIfAsked(@Nullable AccessLog accessLog, int signal) {
        if (accessLog != null && signal == ProcessNative.SIGUSR1) {
            accessLog.reopen();
        }
    }

    private static String reopen(@Nullable AccessLog accessLog) throws ControlException {
        if (accessLog == null) {
            throw new ControlException(Errno.ENOENT, "there is no access log");
        }
        accessLog.reopen();
        return "";
    }

    /** Before anything else: without these calls the JVM itself gets strange answers. */
    private static void demandCalls() throws StartException {
        try {
            Engine.demandCalls();
        } catch (NativeIoException e) {
            throw new StartException(e.errno(), e.getMessage());
        }
    }

    /** Until the last transfer has ended, the time is over, or another signal comes. */
    private void drain(
            Engine engine, int signals, Drain drain, Predecessors predecessors, @Nullable AccessLog accessLog)
            throws StartException {
        drain.begin();
        engine.beginDrain();
        service.stopping(draining(engine), drain.limitMs());
        while ((!engine.isDrained() || predecessors.any()) && drain.leftMs() > 0) {
            int signal = check(ProcessNative.awaitSignal(signals, Engine.DRAIN_LOOK_MS), "cannot wait for signals");
            if (ProcessNative.ends(signal)) {
                return;
            }
            reopenIfAsked(accessLog, signal);
            service.look(engine::probe, () -> draining(engine));
        }
    }

    /** Another process serves: until the last transfer of this one has ended, the time is over, or a signal comes. */
    private static void finish(
            Engine engine, int signals, HandOver handOver, @Nullable AccessLog accessLog, int timeoutMs)
            throws StartException {
        long begin = System.nanoTime();
        while (!SuccessionNative.isIdle(engine.handle())
                && !handOver.ends()
                && System.nanoTime() - begin < TimeUnit.MILLISECONDS.toNanos(timeoutMs)) {
            int signal = check(ProcessNative.awaitSignal(signals, Engine.DRAIN_LOOK_MS), "cannot wait for signals");
            if (ProcessNative.ends(signal) && !handOver.ends()) {
                return;
            }
            reopenIfAsked(accessLog, signal);
        }
    }

    private @Nullable TakeOver takeOver(Path directory, String name, int uid) throws StartException {
        return TakeOver.begin(directory, name, uid, service.isPresent(), this::complain);
    }

    /** The socket that the service manager passes is the one that is taken over: it is closed here. Null: none is passed. */
    private static @Nullable PassedSocket demandSame(TakeOver takeOver, @Nullable PassedSocket passed)
            throws StartException {
        if (takeOver.socketStays() != (passed != null)) {
            throw new StartException(
                    Errno.EINVAL,
                    "the one that serves has its socket "
                            + (passed == null
                                    ? "from a service manager, which passes none"
                                    : "not from the .socket unit")
                            + ": stop it, and start this one");
        }
        if (passed != null) {
            SuccessionNative.close(passed.fd());
        }
        return null;
    }

    /** Why nobody can take the place of this process; null: somebody can. */
    private static @Nullable String obstacle(ProgramConfig settings) {
        if (settings.syncParent()) {
            return "it belongs to the program that has started it (--" + Setting.SYNC_PARENT.key()
                    + "), and has to be started again by it";
        }
        return ProcessHandle.current().pid() == 1
                ? "it is process 1 of its container, which ends with it: replace the container"
                : null;
    }

    private void takeNames(@Nullable ControlServer control, SendfiledConfig config) {
        try {
            if (control != null) {
                control.takeName(config.socketDirectory(), config.name());
            }
        } catch (IOException e) {
            complain("no control socket, for sfd drain and others: " + e.getMessage());
        }
        try {
            if (metrics != null) {
                metrics.takeName();
            }
        } catch (IOException e) {
            complain("no metrics: " + e.getMessage());
        }
    }

    private static String serving(Engine engine) {
        SendfiledConfig config = engine.config();
        return "serving " + Names.printable(config.root()) + " as '" + Names.printable(config.name()) + "': "
                + transfers(engine);
    }

    private static String draining(Engine engine) {
        return "waiting for the end of " + transfers(engine);
    }

    private static String transfers(Engine engine) {
        return Drain.transfers(engine.transfers());
    }

    /** Without it the daemon serves as well, but only signals reach it. */
    private @Nullable ControlServer openControl(
            SendfiledConfig config, boolean beside, Map<String, ControlCommand> commands) {
        try {
            ControlSocket socket = beside
                    ? ControlSocket.openBeside(config.socketDirectory(), config.name())
                    : ControlSocket.open(config.socketDirectory(), config.name());
            return new ControlServer(socket, commands);
        } catch (IOException e) {
            complain("no control socket, for sfd drain and others: " + e.getMessage());
            return null;
        }
    }

    private void close(ControlServer control) {
        try {
            control.close();
        } catch (IOException e) {
            complain("the name of the control socket stays: " + e.getMessage());
        }
    }

    /** Idempotent. */
    private void closeMetrics() {
        try {
            if (metrics != null) {
                metrics.close();
            }
        } catch (IOException e) {
            complain("the name of the socket for metrics stays: " + e.getMessage());
        }
    }

    /** For sfd doctor. */
    private static String about(ControlCall call, Engine engine) throws IOException {
        call.line("version " + NativeLibrary.version());
        call.line("pid " + ProcessHandle.current().pid());
        call.line("uid " + Integer.toUnsignedString(ProcessNative.effectiveUid()));
        call.line("root " + Names.printable(engine.config().root()));
        call.line("sockets " + Names.printable(engine.config().socketDirectory()));
        return "";
    }

    private static String pong(Engine engine) {
        return NativeLibrary.version() + " pid " + ProcessHandle.current().pid() + " " + transfers(engine);
    }

    private void awaitEnd(Engine engine, int signals, ConfigReload reload, @Nullable AccessLog accessLog)
            throws StartException {
        int signal = 0;
        while (!ProcessNative.ends(signal)) {
            signal = check(ProcessNative.awaitSignal(signals, service.lookMs()), "cannot wait for signals");
            Throwable failure = engine.failure();
            if (failure != null) {
                throw new StartException(Errno.EIO, "an event loop ended: " + failure, failure);
            }
            reopenIfAsked(accessLog, signal);
            if (signal == ProcessNative.SIGHUP) {
                service.reloading();
                reload.run().forEach(this::tell);
                service.ready(serving(engine));
            }
            service.look(engine::probe, () -> serving(engine));
        }
    }

    private void detach() throws StartException {
        int result = ProcessNative.detach();
        if (result == -Errno.ECHILD) {
            throw new StartException(Errno.ECHILD, "the background process ended before it was ready");
        }
        check(result, "cannot start the background process");
        if (result > 0) {
            // It has printed the reason on the standard error that both share.
            throw new StartException(result, null);
        }
        if (report(0) < 0) {
            throw new StartException(Errno.EPIPE, "the parent at descriptor 3 is gone");
        }
    }

    private static AccessList resolveAccess(ProgramConfig settings) throws StartException {
        try {
            return AccessList.resolve(
                    settings.engine().allowedUsers(), settings.engine().allowedGroups());
        } catch (InvalidSettingException e) {
            throw new StartException(Errno.ENOENT, settings.label(e.setting()) + ": " + e.problem(), e);
        }
    }

    private static Engine prepare(
            ProgramConfig settings,
            SendfiledConfig config,
            AccessList access,
            @Nullable PassedSocket passed,
            @Nullable TakeOver takeOver)
            throws StartException {
        try {
            if (takeOver != null) {
                return Engine.prepareSuccessor(config, access, takeOver.inheritance());
            }
            return Engine.prepareProgram(config, access, passed == null ? NO_FD : passed.fd());
        } catch (NativeIoException e) {
            throw new StartException(e.errno(), explain(settings, config, e), e);
        }
    }

    private static void begin(Engine engine, ProgramConfig settings, SendfiledConfig config) throws StartException {
        try {
            engine.begin();
        } catch (NativeIoException e) {
            throw new StartException(e.errno(), explain(settings, config, e), e);
        }
    }

    /** Names the option to change: the errno alone does not say which of the directories it is about. */
    private static String explain(ProgramConfig settings, SendfiledConfig config, NativeIoException e) {
        String reason = Errno.describe(e.errno());
        if (e.errno() == Errno.EADDRINUSE) {
            int pid = ProcessNative.instanceHolder(Names.bytes(config.socketDirectory()), Names.bytes(config.name()));
            return "an instance named '" + Names.printable(config.name()) + "' is already running"
                    + (pid > 0 ? " (pid " + pid + ")" : "") + " at " + Names.printable(config.socketPath());
        }
        if (!Files.isDirectory(config.root())) {
            return settings.label(Setting.ROOT) + ": " + Names.printable(config.root()) + ": " + reason;
        }
        if (e.errno() == Errno.EPERM) {
            return settings.label(Setting.SOCKET_DIRECTORY) + ": " + Names.printable(config.socketDirectory()) + ": "
                    + reason
                    + ": it must belong to this user or to root, and nobody else may write to it unless it is sticky"
                    + " (chmod go-w)";
        }
        return switch (e.errno()) {
            case Errno.ENOENT, Errno.ENOTDIR, Errno.EACCES, Errno.EROFS ->
                settings.label(Setting.SOCKET_DIRECTORY) + ": " + Names.printable(config.socketDirectory()) + ": "
                        + reason;
            case Errno.EEXIST -> Names.printable(config.socketPath()) + " or its lock is there and not ours: " + reason;
            default -> "cannot start: " + e.getMessage();
        };
    }

    /** Where a process in the background writes its messages, and the JVM its report if it crashes. */
    private int openLog(String name) {
        String path = logPath(name);
        int logFd = ProcessNative.openLog(Names.bytes(Names.path(path)), LOG_MODE);
        if (logFd >= 0) {
            return logFd;
        }
        complain("cannot write to " + Names.printable(path) + ", messages are lost: " + Errno.describe(-logFd));
        return NO_FD;
    }

    private String logPath(String name) {
        String given = environment.getOrDefault("TMPDIR", "");
        String directory = given.isEmpty() ? DEFAULT_LOG_DIRECTORY : given;
        return directory + "/sendfiled." + Integer.toUnsignedString(ProcessNative.effectiveUid()) + "." + name + ".log";
    }

    /** Where it serves, to whoever started it; in the background also to the log. A parent that is told needs no words. */
    private void announce(SendfiledConfig config, ProgramConfig settings, boolean detached, int logFd)
            throws StartException {
        String line = "serving " + Names.printable(config.root()) + " as '" + Names.printable(config.name()) + "' at "
                + Names.printable(config.socketPath());
        if (detached) {
            String more = logFd == NO_FD ? "" : ", messages in " + Names.printable(logPath(config.name()));
            line += " (pid " + ProcessHandle.current().pid() + more + ")";
        }
        if (!settings.syncParent()) {
            tell(line);
        }
        if (detached) {
            check(ProcessNative.finishDetach(logFd), "cannot let go of the terminal");
            tell(line);
        }
        if (report(0) < 0) {
            throw new StartException(Errno.EPIPE, "the parent at descriptor 3 is gone");
        }
    }

    /** Once only: the descriptor is closed by it. */
    private int report(int errno) {
        if (!reports) {
            return 0;
        }
        reports = false;
        return ProcessNative.report(ProcessNative.REPORT_FD, errno);
    }

    private void complain(@Nullable String message) {
        if (message != null) {
            log.log(System.Logger.Level.WARNING, message);
        }
    }

    private void fail(@Nullable String message) {
        if (message != null) {
            log.log(System.Logger.Level.ERROR, message);
        }
    }

    private void tell(String message) {
        log.log(System.Logger.Level.INFO, message);
    }

    private static int check(int result, String problem) throws StartException {
        if (result < 0) {
            throw new StartException(-result, problem + ": " + Errno.describe(-result));
        }
        return result;
    }
}
