package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Await;
import io.sendfiled.support.Faults;
import io.sendfiled.support.Faults.Pattern;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.Scale;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.DaemonProcess;
import io.sendfiled.system.faults.FaultLoad.End;
import io.sendfiled.system.faults.FaultLoad.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * R13, D12, D15, D31: system calls and allocations of the real daemon fail while it serves one request of each kind. It lives,
 * each request has one end, no wrong byte is called success, no descriptor is left, and it serves again afterwards.
 *
 * <p>By hand, all of them: {@code ./dev faults}.
 */
@Timeout(300)
final class FaultIT {
    private static final String NAME = "faults";
    private static final String SLOW = "slow";

    /** What the engine calls while it serves; that it does is tested. */
    private static final List<String> CALLS = List.of(
            "openat2",
            "cachestat",
            "statx",
            "fstatfs",
            "close",
            "posix_fadvise",
            "fcntl",
            "ofd_setlk",
            "ofd_getlk",
            "lseek",
            "fallocate",
            "mmap",
            "munmap",
            "preadv2",
            "pwritev2",
            "sendfile",
            "splice",
            "copy_file_range",
            "getsockopt",
            "ioctl",
            "recvmmsg",
            "send",
            "epoll_ctl",
            "epoll_wait",
            "openat",
            "read",
            "write");

    private static final List<Integer> ERRORS = List.of(
            Errno.EINTR, Errno.EAGAIN, Errno.ENOMEM, Errno.ENOBUFS, Errno.EMFILE, Errno.ENOSPC, Errno.EIO, Errno.EPIPE);

    private static final List<Pattern> PATTERNS =
            List.of(Pattern.FIRST, Pattern.SECOND, Pattern.EVERY_THIRD, Pattern.TWENTY_IN_A_ROW);

    /** These move bytes, and can move less than they were asked to. */
    private static final List<String> MOVERS =
            List.of("preadv2", "pwritev2", "sendfile", "splice", "copy_file_range", "send");

    /** Of an eventfd, whose EAGAIN says that all is done already (eventfd(2)): an EAGAIN that lies is no fault of any kernel. */
    private static final List<String> EVENTS = List.of("read", "write");

    /** What may fail as it likes: it is only advice, or its result says nothing, or the loop tries again. */
    private static final List<String> ADVICE =
            List.of("cachestat", "posix_fadvise", "close", "munmap", "recvmmsg", "epoll_wait", "read", "write");

    /** What the machine may lack for a moment, and where somebody waits for it: native/core/sys/errno_policy.h. */
    private static final List<Integer> TRANSIENT = List.of(Errno.EAGAIN, Errno.ENOMEM, Errno.ENOBUFS);

    private static final List<String> PATIENT =
            List.of("preadv2", "pwritev2", "sendfile", "splice", "copy_file_range", "send");

    private static final int CASES = Scale.of("faults.cases", 250);
    private static final int ALLOCATIONS = Scale.of("faults.allocations", 50);

    @TempDir
    private static Path directory;

    private static Faults faults;
    private static @Nullable HeldDisk disk;
    private static @Nullable Daemon daemon;

    @BeforeAll
    static void mountDisk() throws Exception {
        assumeTrue(Files.exists(Faults.shim()), "the fault shim was not built");
        Path root = Files.createDirectories(directory.resolve("root"));
        faults = Faults.of(directory, Faults.ENGINE);
        if (HeldDisk.unavailableBecause().isEmpty()) {
            disk = HeldDisk.mount(root.resolve(SLOW), root, "nothing is held");
        }
    }

    @AfterAll
    static void stop() throws Exception {
        try {
            if (daemon != null) {
                daemon.close();
                daemon = null; // a case that is run again starts its own
            }
        } finally {
            if (disk != null) {
                disk.close();
            }
        }
    }

    /**
     * One fault.
     *
     * @param error an errno, or {@link Faults#SHORT}
     */
    record Case(String call, int error, Pattern pattern) {
        /** Whether no client may see it. */
        boolean passes() {
            return error == Faults.SHORT
                    || error == Errno.EINTR
                    || ADVICE.contains(call)
                    || (TRANSIENT.contains(error) && PATIENT.contains(call));
        }

        @Override
        public String toString() {
            String what = error == Faults.SHORT ? "a short count" : Errno.name(error);
            return what + " of " + call + ", "
                    + (pattern.every() == 0
                            ? "no. " + pattern.first()
                            : pattern.limit() > 0 ? pattern.limit() + " in a row" : "every 3rd");
        }
    }

    static Stream<Case> cases() {
        List<Case> all = new ArrayList<>();
        for (String call : CALLS) {
            for (Pattern pattern : PATTERNS) {
                for (int error : ERRORS) {
                    boolean none = error == Errno.EAGAIN && EVENTS.contains(call);
                    if (!none) {
                        all.add(new Case(call, error, pattern));
                    }
                }
                if (MOVERS.contains(call)) {
                    all.add(new Case(call, Faults.SHORT, pattern));
                }
            }
        }
        // Some of everything: the same ones each time.
        Collections.shuffle(all, new Random(20261120));
        return all.stream().limit(CASES);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void shouldSurviveASystemCallThatFails(Case fault) throws Exception {
        List<Result> results = survive(fault.call(), fault.error(), fault.pattern());
        if (fault.passes()) {
            expectNoEffect(results);
        }
    }

    /** D15 */
    @Test
    void shouldSurviveEachAllocationThatFails() throws Exception {
        for (int n = 1; n <= ALLOCATIONS; n++) {
            survive(Faults.ALLOCATION, Errno.ENOMEM, Pattern.nth(n));
            if (faults.failed() == 0) {
                return; // there is no n-th one
            }
        }
    }

    /** D15 */
    @Test
    void shouldSurviveThatNoAllocationSucceeds() throws Exception {
        survive(Faults.ALLOCATION, Errno.ENOMEM, new Pattern(1, 1, 0));
        survive(Faults.ALLOCATION, Errno.ENOMEM, new Pattern(2, 2, 0));
        survive(Faults.ALLOCATION, Errno.ENOMEM, Pattern.EVERY_THIRD);
    }

    /** What is not called cannot be made to fail. */
    @Test
    void shouldReachEachCall() throws Exception {
        assumeTrue(disk != null, "without a slow disk some calls are never made");
        expectNoEffect(survive("getrandom", 0, Pattern.NEVER));
        for (String call : CALLS) {
            assertTrue(faults.count(call) > 0, call);
        }
        assertTrue(faults.count(Faults.ALLOCATION) > 0);
    }

    private static void expectNoEffect(List<Result> results) {
        // The answer to what is no request is given once, and not kept for a better time.
        List<Result> others = results.stream()
                .filter(result -> result.end() != End.AS_EVER)
                .filter(result ->
                        result.end() != End.SILENCE || !result.operation().equals(FaultLoad.NO_REQUEST))
                .toList();
        assertEquals(List.of(), others);
    }

    /** What a daemon cannot do afterwards is told, and another one serves the next case. */
    private static List<Result> survive(String call, int error, Pattern pattern) throws Exception {
        Daemon served = daemon == null ? new Daemon() : daemon;
        daemon = null;
        faults.give(call, error, pattern);
        try {
            List<Result> results = served.load.run();
            faults.clear();
            served.expectHealth();
            daemon = served;
            return results;
        } catch (AssertionError e) {
            throw new AssertionError(
                    e.getMessage() + " (" + faults.failed() + " failed, the last one at " + faults.place() + ")", e);
        } finally {
            faults.clear();
            if (daemon == null) {
                served.kill();
            }
        }
    }

    private static final class Daemon implements AutoCloseable {
        final DaemonProcess process;
        final FaultLoad load;
        final int descriptors;

        Daemon() throws Exception {
            Path root = directory.resolve("root");
            // In the sandbox neither the shim nor its page could be read.
            process = DaemonProcess.start(faults.environment(), directory, NAME, root, "--loops=2", "--sandbox=off");
            assertTrue(faults.isAttached(), "the shim is not in the daemon");
            load = new FaultLoad(directory, root, process.socket(), disk == null ? null : SLOW);
            expectNoEffect(load.run());
            descriptors = process.settledDescriptors();
        }

        void expectHealth() throws Exception {
            expectNoEffect(load.run());
            Await.until(
                    "the daemon's descriptors to be " + descriptors + " again",
                    () -> process.openDescriptors() <= descriptors);
            assertTrue(process.isAlive());
        }

        void kill() throws Exception {
            load.close();
            process.kill();
            Files.deleteIfExists(process.socket()); // or the next one would seem to be ready
        }

        @Override
        public void close() throws IOException {
            load.close();
            process.close();
        }
    }
}
