package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.util.List;

/**
 * What a request has cost those who served it.
 *
 * @param cpuUs microseconds of processors
 * @param switches how often their threads gave a processor away
 * @param pssMib what they held at the end, in MiB, each page divided by those who share it; 0: the kernel tells only others
 */
record Cost(double cpuUs, double switches, double pssMib) {
    static final String CPU = "server-cpu";
    static final String SWITCHES = "context-switches";
    static final String MEMORY = "pss";
    private static final double MIB = 1 << 20;
    private static final double US_PER_MS = 1e3;
    private static final double NS_PER_US = 1e3;

    /** What the threads of processes that are alive have used until now. Blocks for a moment. */
    static Cost soFar(List<Long> pids) throws IOException {
        double cpuNs = 0;
        double switches = 0;
        double bytes = 0;
        for (long pid : pids) {
            cpuNs += Machine.cpuNs(pid);
            switches += Machine.contextSwitches(pid);
            bytes += bytes(pid);
        }
        return new Cost(cpuNs / NS_PER_US, switches, bytes / MIB);
    }

    private static long bytes(long pid) throws IOException {
        try {
            return Machine.proportionalBytes(pid);
        } catch (AccessDeniedException e) {
            return 0; // of another user, in a container
        }
    }

    /** Of each of so many requests since then. */
    Cost since(Cost before, double requests) {
        return new Cost((cpuUs - before.cpuUs) / requests, (switches - before.switches) / requests, pssMib);
    }

    /** Adds it to a report, by the request. */
    void sample(Report report, String scenario, String testCase, String subject) {
        sample(report, scenario, testCase, subject, cpuUs, "us/request", switches, "switches/request");
    }

    /** Adds it to a report, by the GB, of requests of so many each. */
    void sampleVolume(Report report, String scenario, String testCase, String subject, double gigabytes) {
        double cpuMs = cpuUs / US_PER_MS / gigabytes;
        sample(report, scenario, testCase, subject, cpuMs, "ms/GB", switches / gigabytes, "switches/GB");
    }

    private void sample(
            Report report,
            String scenario,
            String testCase,
            String subject,
            double cpu,
            String cpuUnit,
            double switched,
            String switchesUnit) {
        report.sample(scenario, testCase, subject, CPU, cpuUnit, cpu);
        report.sample(scenario, testCase, subject, SWITCHES, switchesUnit, switched);
        if (pssMib > 0) {
            report.sample(scenario, testCase, subject, MEMORY, "MiB", pssMib);
        }
    }
}
