package io.sendfiled.daemon;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.jni.SandboxNative;
import io.sendfiled.jni.SandboxNative.Rule;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the daemon's process may do while it serves: read the root, use its socket and lock, and read what a running JVM
 * reads. Entered after the change of user and before a request can arrive; native/core/process/sandbox.h says how.
 *
 * <p>Main thread, once each. Not for an embedded engine: it would confine the program around it.
 */
final class Sandbox {
    private static final int READ = SandboxNative.READ;
    private static final int READ_ALL = SandboxNative.READ | SandboxNative.LIST;
    private static final int WRITE = SandboxNative.WRITE;

    /* Libraries that are loaded on demand; times in messages; what the JVM asks about its container and processors. */
    private static final List<String> READABLE = List.of(
            "/lib",
            "/lib64",
            "/usr/lib",
            "/usr/lib64",
            "/usr/local/lib",
            "/etc/ld.so.cache",
            "/etc/localtime",
            "/usr/share/zoneinfo",
            "/proc",
            "/sys/fs/cgroup",
            "/sys/devices/system",
            "/dev/random",
            "/dev/urandom");

    private Sandbox() {}

    /**
     * Restricts the process.
     *
     * @param config the engine's, which says what it will need
     * @param readable files and directories of configuration, for a reload
     * @param accessLog a file that is opened again, or another one of its name; null: none
     * @param metrics a socket that changes its name and goes in the end; null: none
     * @return a message that says what it could not restrict; null when it restricted all, or is off
     */
    static @Nullable String enter(
            SandboxMode mode,
            SendfiledConfig config,
            List<Path> readable,
            @Nullable Path accessLog,
            @Nullable Path metrics)
            throws StartException {
        if (mode == SandboxMode.OFF) {
            return null;
        }
        int landlock = SandboxNative.landlock();
        int seccomp = SandboxNative.seccomp();
        String missing = missing(landlock, seccomp);
        if (missing != null && mode == SandboxMode.ON) {
            throw new StartException(landlock < 0 ? -landlock : -seccomp, "--sandbox=on: " + missing);
        }
        boolean others = !config.allowUsers().isEmpty() || !config.allowGroups().isEmpty();
        makeDirectory(config.socketDirectory(), others ? "rwxr-xr-x" : "rwx------");
        if (seccomp >= 0) {
            check(SandboxNative.filter(), "filter system calls");
        }
        if (landlock >= 0) {
            List<Rule> rules = rules(config);
            readable.forEach(path -> rules.add(rule(path, READ)));
            if (accessLog != null) {
                rules.add(rule(accessLog.resolveSibling(""), WRITE | SandboxNative.ADD));
            }
            if (metrics != null) {
                rules.add(rule(metrics.resolveSibling(""), SandboxNative.MAKE));
            }
            if (config.followRoot()) {
                rules.add(rule(FollowedRoot.demandConfinable(config.root()), READ_ALL));
            }
            check(SandboxNative.confine(rules), "confine its threads");
        }
        return missing;
    }

    /**
     * Adds the second filter, when the engine has its socket and before it receives: the start needs more system calls
     * than the work.
     */
    static void close(SandboxMode mode) throws StartException {
        if (mode != SandboxMode.OFF && SandboxNative.seccomp() >= 0) {
            check(SandboxNative.filterAtWork(), "filter system calls");
        }
    }

    private static @Nullable String missing(int landlock, int seccomp) {
        String calls = "system calls are not filtered: the kernel has no seccomp filters: ";
        if (landlock < 0 && seccomp < 0) {
            return "the kernel has neither Landlock nor seccomp filters: " + Errno.describe(-landlock);
        }
        if (landlock < 0) {
            return "files are not confined: " + SandboxNative.landlockLacks()
                    + " is missing: the kernel has no Landlock, or was started without (lsm=...,landlock), or a seccomp"
                    + " filter, as containers have one, refuses it: " + Errno.describe(-landlock);
        }
        return seccomp < 0 ? calls + Errno.describe(-seccomp) : null;
    }

    private static void check(int result, String what) throws StartException {
        if (result < 0) {
            throw new StartException(
                    -result, "--" + Setting.SANDBOX.key() + ": cannot " + what + ": " + Errno.describe(-result));
        }
    }

    /** A rule needs the directory to exist. Other faults of it are found and reported by the start of the engine. */
    private static void makeDirectory(Path directory, String mode) {
        try {
            Files.createDirectory(
                    directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode)));
        } catch (IOException e) {
            // It usually exists.
        }
    }

    private static List<Rule> rules(SendfiledConfig config) {
        List<Rule> rules = new ArrayList<>();
        // Directories are not served, but a client that asks for one gets EINVAL, and not EACCES.
        rules.add(rule(config.root(), READ_ALL));
        rules.add(rule(config.socketDirectory(), READ_ALL | WRITE | SandboxNative.MAKE)); // it is locked: LIST
        addCounters(rules, config.socketDirectory());
        rules.add(rule(Path.of("/dev/null"), READ | WRITE));
        for (String path : READABLE) {
            rules.add(rule(Path.of(path), READ_ALL));
        }
        addJava(rules);
        addTerminals(rules);
        return rules;
    }

    /** Where the counters are if the socket's directory is on a disk: native/core/base/counters_file.h. */
    private static void addCounters(List<Rule> rules, Path socketDirectory) {
        try {
            if (Files.getFileStore(socketDirectory).type().equals("tmpfs")) {
                return;
            }
        } catch (IOException e) {
            return; // the start of the engine will tell
        }
        Path directory = Path.of("/dev/shm/sendfiled-" + ProcessNative.effectiveUid());
        makeDirectory(directory, "rwxr-x---");
        rules.add(rule(directory, READ | WRITE | SandboxNative.MAKE));
    }

    /** The JVM's own files, which a distribution may have put under /etc, and our jars: classes are loaded on demand. */
    private static void addJava(List<Rule> rules) {
        Path home = Path.of(System.getProperty("java.home", "/"));
        rules.add(rule(home, READ_ALL));
        for (String file : List.of("conf/net.properties", "conf/security/java.security", "lib/jvm.cfg")) {
            Path directory = realDirectory(home.resolve(file));
            if (directory != null) {
                rules.add(rule(directory, READ_ALL));
            }
        }
        for (String entry : System.getProperty("java.class.path", "").split(File.pathSeparator, -1)) {
            if (!entry.isEmpty()) {
                Path path = Path.of(entry).toAbsolutePath();
                rules.add(rule(Files.isDirectory(path) ? path : path.resolveSibling(""), READ_ALL));
            }
        }
    }

    private static Rule rule(Path path, int access) {
        return new Rule(Names.bytes(path), access);
    }

    private static @Nullable Path realDirectory(Path file) {
        try {
            return file.toRealPath().getParent();
        } catch (IOException e) {
            return null; // this Java has no such file
        }
    }

    /** Terminals that clients pass are opened again (so that our O_NONBLOCK is not set on their description). */
    private static void addTerminals(List<Rule> rules) {
        rules.add(rule(Path.of("/dev/pts"), WRITE));
        try (DirectoryStream<Path> devices = Files.newDirectoryStream(Path.of("/dev"), "tty?*")) {
            for (Path device : devices) {
                rules.add(rule(device, WRITE));
            }
        } catch (IOException e) {
            // Without such devices no client can pass one.
        }
    }
}
