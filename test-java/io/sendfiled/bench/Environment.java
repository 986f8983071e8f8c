package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where and how a run was measured. What the system does not tell is an empty string.
 *
 * @param time in UTC, as ISO 8601
 * @param commit of the source tree, with {@code -dirty} if files differ from it
 * @param root whether the harness was root: then servers ran as users who do not own the files
 * @param loadBefore load average of the minute before the run: others on the machine are in every number
 * @param memory bytes
 * @param virtualization what kind of virtual machine or container it is; {@code none}: neither
 * @param governor of the frequency of the first processor
 * @param versions of other programs and libraries that were measured
 */
record Environment(
        String time,
        String commit,
        int rounds,
        boolean quick,
        boolean root,
        double loadBefore,
        String cpu,
        int cpus,
        long memory,
        String virtualization,
        String governor,
        String distribution,
        String kernel,
        String arch,
        String java,
        Map<String, String> versions) {
    private static final long TIMEOUT_MS = 5_000;

    /** That of this process and this moment. Blocks, and starts programs that tell more. */
    static Environment probe(int rounds, boolean quick, double loadBefore, Map<String, String> versions)
            throws IOException, InterruptedException {
        return new Environment(
                Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                output(
                        "git",
                        "-C",
                        System.getProperty("sendfiled.test.source", "."),
                        "describe",
                        "--always",
                        "--dirty"),
                rounds,
                quick,
                Programs.isRoot(),
                loadBefore,
                valueOf(Path.of("/proc/cpuinfo"), "model name", ":"),
                Runtime.getRuntime().availableProcessors(),
                Machine.totalMemory(),
                output("systemd-detect-virt"),
                firstLine(Path.of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
                valueOf(Path.of("/etc/os-release"), "PRETTY_NAME", "=").replace("\"", ""),
                System.getProperty("os.version"),
                System.getProperty("os.arch"),
                System.getProperty("java.runtime.version"),
                versions);
    }

    /** In which two differ, but for the time and the load; both values of each. */
    Map<String, String[]> differences(Environment other) {
        Map<String, String> mine = described();
        Map<String, String> others = other.described();
        Map<String, String[]> differences = new LinkedHashMap<>();
        mine.forEach((name, value) -> {
            String its = others.getOrDefault(name, "");
            if (!its.equals(value)) {
                differences.put(name, new String[] {value, its});
            }
        });
        others.forEach((name, value) -> {
            if (!mine.containsKey(name)) {
                differences.put(name, new String[] {"", value});
            }
        });
        return differences;
    }

    /** All but the time and the load, as people read it; what is not known is left out. */
    Map<String, String> described() {
        Map<String, String> described = new LinkedHashMap<>();
        described.put("commit", commit);
        described.put("processor", cpu);
        described.put("processors", Integer.toString(cpus));
        described.put("memory", Units.format("%.1f GiB", (double) memory / (1L << 30)));
        described.put("virtualization", virtualization);
        described.put("frequency governor", governor);
        described.put("distribution", distribution);
        described.put("kernel", kernel);
        described.put("architecture", arch);
        described.put("Java", java);
        described.put("rounds", rounds + (quick ? ", --quick" : ""));
        described.put("users", root ? "the servers' are not the files' owner" : "one, who owns the files");
        described.putAll(versions);
        described.values().removeIf(String::isEmpty);
        return described;
    }

    /** What a program prints in its first line, whatever its exit status is; empty if it is not installed. */
    private static String output(String... command) throws IOException, InterruptedException {
        List<String> quiet = new ArrayList<>(List.of("sh", "-c", "exec \"$@\" 2>/dev/null", "sh"));
        quiet.addAll(List.of(command));
        return Programs.run(quiet, TIMEOUT_MS).split("\n", 2)[0];
    }

    private static String firstLine(Path file) throws IOException {
        return Files.isReadable(file) ? Files.readAllLines(file).get(0) : "";
    }

    private static String valueOf(Path file, String key, String separator) throws IOException {
        if (!Files.isReadable(file)) {
            return "";
        }
        for (String line : Files.readAllLines(file)) {
            if (line.startsWith(key)) {
                return line.substring(line.indexOf(separator) + 1).strip();
            }
        }
        return "";
    }
}
