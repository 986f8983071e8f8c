package io.sendfiled.tools;

import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.jni.SandboxNative;
import io.sendfiled.jni.TechniquesNative;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import io.sendfiled.technique.Techniques;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.Year;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;

/** Whether this machine has what a daemon, or an embedded engine, works with. Asks the kernel itself, as any user. One thread. */
final class MachineChecks {
    private static final int CALL_NAME_MAX = 32;
    private static final int DESCRIPTORS_A_TRANSFER = 3;
    private static final int OTHER_DESCRIPTORS = 64;
    private static final long USUAL_TRANSFERS = 1000;
    private static final int USUAL_QUEUE = 10;
    private static final int PAGE = 4096;
    private static final long NO_LIMIT = 1L << 62; // v1 has a number for it, nearly 2^63
    private static final int JAVA_LEAST = 17;
    private static final int YEAR_LEAST = 2024;
    private static final String NEWER = "a newer kernel; in a container, a seccomp profile that has the call";

    private final List<Finding> found = new ArrayList<>();
    private final String process; // its directory in /proc
    private final String whose;

    private MachineChecks(String process, String whose) {
        this.process = process;
        this.whose = whose;
    }

    /**
     * All of them.
     *
     * @param daemon the process whose limits count; 0: none is known, so those of what is started from here
     */
    static List<Finding> all(long daemon) {
        MachineChecks checks = daemon == 0
                ? new MachineChecks("/proc/self", "")
                : new MachineChecks("/proc/" + daemon, "of the daemon: ");
        checks.java();
        if (checks.library()) {
            checks.kernel();
            checks.sandbox();
        }
        checks.limits();
        checks.network();
        checks.clock();
        return checks.found;
    }

    private void java() {
        String where = Runtime.version() + " in " + System.getProperty("java.home", "?");
        found.add(
                Runtime.version().feature() >= JAVA_LEAST
                        ? Finding.ok("java", where)
                        : Finding.fail("java", where, "Java " + JAVA_LEAST + " or later (JAVA_HOME chooses)"));
    }

    private boolean library() {
        Throwable cause = NativeLibrary.unavailabilityCause();
        if (cause != null) {
            found.add(Finding.fail(
                    "native library",
                    String.valueOf(cause.getMessage()),
                    "install the package of this architecture, or name its directory: -D" + NativeLibrary.PATH_PROPERTY
                            + "="));
            return false;
        }
        found.add(Finding.ok("native library", NativeLibrary.version()));
        String temporary = System.getProperty("java.io.tmpdir", "/tmp");
        Mount mount = Mount.of(Path.of(temporary));
        if (mount != null && mount.is("noexec")) {
            found.add(Finding.warn(
                    "temporary directory",
                    temporary + " is mounted noexec: a program with the engine inside cannot load its library from the"
                            + " jar there",
                    "start that with -Djava.io.tmpdir=DIRECTORY, or -D" + NativeLibrary.PATH_PROPERTY + "=DIRECTORY"));
        } else {
            found.add(Finding.ok("temporary directory", temporary));
        }
        return true;
    }

    private void kernel() {
        String release = SystemFiles.line("/proc/sys/kernel/osrelease");
        byte[] call = new byte[CALL_NAME_MAX];
        int result = EngineNative.demandCalls(call);
        if (result < 0) {
            String name = new String(call, StandardCharsets.US_ASCII).replace("\0", "");
            found.add(Finding.fail(
                    "kernel",
                    release + " lacks " + name + ": " + Errno.describe(-result),
                    "Linux 5.10 or later; in a container, a seccomp profile that has the call"));
            return;
        }
        found.add(Finding.ok("kernel", release));
        int features = TechniquesNative.kernel();
        feature(
                features,
                TechniquesNative.RESOLVE_CACHED,
                "openat2(RESOLVE_CACHED)",
                "5.12",
                "each open goes to a disk's thread");
        feature(features, TechniquesNative.CACHESTAT, "cachestat", "6.5", "what is in memory is sampled, not counted");
        feature(features, TechniquesNative.PIDFDS, "pidfd_open", "5.3", "transfers of a client that is gone end later");
        feature(
                features,
                TechniquesNative.PIDFS,
                "pidfs",
                "6.9",
                "clients in other pid namespaces (containers) share one account and cannot open files to send them later");
        feature(
                features,
                TechniquesNative.PIPE_NOWAIT,
                "RWF_NOWAIT on pipes",
                "6.4",
                "pipes are opened once more for each transfer");
        for (Technique technique : Technique.values()) {
            String missing = technique == Technique.AUTO ? null : Techniques.whyMissing(technique);
            if (missing != null) {
                found.add(Finding.warn("technique " + technique.label(), missing, NEWER));
            }
        }
    }

    private void feature(int features, int bit, String what, String since, String without) {
        found.add(
                (features & bit) != 0
                        ? Finding.ok(what, "there")
                        : Finding.warn(what, "missing: " + without, "Linux " + since + ", or " + NEWER));
    }

    private void sandbox() {
        int landlock = SandboxNative.landlock();
        String lacks = SandboxNative.landlockLacks();
        found.add(
                landlock > 0
                        ? Finding.ok("Landlock", "ABI " + landlock)
                        : Finding.warn(
                                "Landlock",
                                (lacks == null ? "missing: " : lacks + " is missing: ") + Errno.describe(-landlock)
                                        + ": the daemon does not confine which files it opens",
                                "Linux 5.13 with lsm=...,landlock on its command line; in a container, a seccomp profile"
                                        + " that has the calls"));
        int seccomp = SandboxNative.seccomp();
        found.add(
                seccomp >= 0
                        ? Finding.ok("seccomp", "there")
                        : Finding.warn(
                                "seccomp",
                                "missing: " + Errno.describe(-seccomp)
                                        + ": the daemon does not filter its system calls",
                                "a kernel with CONFIG_SECCOMP_FILTER"));
    }

    // ---- limits ----

    private void limits() {
        String limits = SystemFiles.after(process + "/limits", "Max open files");
        long most = limits == null ? -1 : SystemFiles.number(limits, 1, -1);
        long transfers = (most - OTHER_DESCRIPTORS) / DESCRIPTORS_A_TRANSFER;
        if (most < 0) {
            found.add(Finding.ok("open files", whose + "no limit is told"));
        } else if (transfers >= USUAL_TRANSFERS) {
            found.add(Finding.ok("open files", whose + most + ", for " + transfers + " transfers"));
        } else {
            found.add(Finding.warn(
                    "open files",
                    whose + "the hard limit of " + most + " lets " + Math.max(transfers, 0) + " transfers be",
                    "LimitNOFILE=524288 in the unit, or ulimit -Hn before the start"));
        }
        long pipes = SystemFiles.number("/proc/sys/fs/pipe-user-pages-soft", 0);
        found.add(
                pipes == 0 || pipes >= 16384
                        ? Finding.ok("fs.pipe-user-pages-soft", pipes == 0 ? "no limit" : pipes + " pages")
                        : Finding.warn(
                                "fs.pipe-user-pages-soft",
                                pipes
                                        + " pages: beyond that the pipes of a user get two pages each, and reads are slow",
                                "sysctl fs.pipe-user-pages-soft=16384"));
        memory();
    }

    /** The first group, from the process's own on upwards, that has a limit: of cgroup v1, or of v2. */
    private void memory() {
        String group = null;
        String mount = "";
        String max = "";
        String now = "";
        for (String line : SystemFiles.lines(process + "/cgroup")) {
            String[] fields = line.split(":", 3); // cgroups(7): hierarchy, controllers, path
            if (fields.length == 3 && List.of(fields[1].split(",")).contains("memory")) {
                group = fields[2];
                mount = "/sys/fs/cgroup/memory";
                max = "/memory.limit_in_bytes";
                now = "/memory.usage_in_bytes";
                break;
            }
            if (line.startsWith("0::")) {
                group = line.substring("0::".length());
                mount = "/sys/fs/cgroup";
                max = "/memory.max";
                now = "/memory.current";
            }
        }
        if (group == null) {
            return;
        }
        String at = group.equals("/") ? "" : group;
        long limit = SystemFiles.number(mount + at + max, NO_LIMIT);
        while (limit >= NO_LIMIT && !at.isEmpty()) {
            at = at.substring(0, at.lastIndexOf('/')); // in a container, the path may be the host's
            limit = SystemFiles.number(mount + at + max, NO_LIMIT);
        }
        if (limit >= NO_LIMIT) {
            found.add(Finding.ok("memory limit", whose + "none"));
            return;
        }
        long used = SystemFiles.number(mount + at + now, 0);
        String detail = whose + Report.human(used) + " of " + Report.human(limit) + " in " + mount + at;
        found.add(
                used < limit - limit / 10
                        ? Finding.ok("memory limit", detail)
                        : Finding.warn(
                                "memory limit",
                                detail + ": pages of files are dropped soon after they are read",
                                "a higher MemoryMax= (a container's memory limit), or less in the group"));
    }

    private void network() {
        long queue = SystemFiles.number("/proc/sys/net/unix/max_dgram_qlen", 0);
        found.add(
                queue > USUAL_QUEUE
                        ? Finding.ok("net.unix.max_dgram_qlen", queue + " requests may wait")
                        : Finding.warn(
                                "net.unix.max_dgram_qlen",
                                "only " + queue + " requests may wait at the request socket, so clients wait to send",
                                "sysctl net.unix.max_dgram_qlen=512, before the daemon starts"));
        long pressure = SystemFiles.number(SystemFiles.line("/proc/sys/net/ipv4/tcp_mem"), 1, Long.MAX_VALUE);
        long used = tcpPages();
        if (used < 0 || pressure == Long.MAX_VALUE) {
            return;
        }
        String detail = Report.human(used * PAGE) + " of socket buffers, pressure from "
                + Report.human(Math.min(pressure, Long.MAX_VALUE / PAGE) * PAGE) + " on";
        found.add(
                used < pressure - pressure / 10
                        ? Finding.ok("TCP memory", detail)
                        : Finding.warn(
                                "TCP memory",
                                detail + ": all connections of the machine get small buffers",
                                "fewer slow receivers (idle-timeout, client-transfers), or a higher net.ipv4.tcp_mem"));
    }

    private static long tcpPages() {
        String line = SystemFiles.after("/proc/net/sockstat", "TCP:");
        int at = line == null ? -1 : line.indexOf("mem ");
        return line == null || at < 0 ? -1 : SystemFiles.number(line.substring(at), 1, -1);
    }

    private void clock() {
        String source = SystemFiles.line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
        if (Year.now(ZoneOffset.UTC).getValue() < YEAR_LEAST) {
            found.add(Finding.warn(
                    "clock", "it says " + Instant.now(), "set it: times of files and of the log are wrong"));
        } else if (List.of("hpet", "acpi_pm", "jiffies", "refined-jiffies").contains(source)) {
            found.add(Finding.warn(
                    "clock",
                    "its source is " + source
                            + ": each look at it costs a microsecond, and there are several a transfer",
                    "find out why the kernel distrusts the tsc (dmesg | grep -i tsc)"));
        } else {
            found.add(Finding.ok("clock", source.isEmpty() ? "right" : source));
        }
    }
}
