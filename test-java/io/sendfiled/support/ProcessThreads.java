package io.sendfiled.support;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;

/** The threads of a process as the kernel sees them: which there are, and what an event loop waits for. */
public final class ProcessThreads {
    /** The timeout of epoll_wait(2) and futex(2) among a system call and its arguments (proc_pid_syscall(5)). */
    private static final int TIMEOUT = 4;

    private static final int FUTEX_OPERATION = 2;

    /** FUTEX_WAIT_BITSET, private: what a condition variable waits in. */
    private static final String FUTEX_WAIT = "0x189";

    private ProcessThreads() {}

    /** How many threads of each name whose name begins so; the kernel keeps 15 characters of a name. */
    public static Map<String, Integer> count(long pid, String prefix) {
        Map<String, Integer> counts = new TreeMap<>();
        all(pid, thread -> {
            String name = Files.readString(thread.resolve("comm")).strip();
            if (name.startsWith(prefix)) {
                counts.merge(name, 1, Integer::sum);
            }
            return true;
        });
        return counts;
    }

    /**
     * Whether every thread whose name begins so sleeps without a time limit: in epoll_wait(2), so it has no timer, or in
     * futex(2), so it is a spare one.
     */
    public static boolean sleepWithoutTimer(long pid, String prefix) {
        return all(pid, thread -> {
            if (!Files.readString(thread.resolve("comm")).startsWith(prefix)) {
                return true;
            }
            String[] call = Files.readString(thread.resolve("syscall")).strip().split(" ");
            if (call.length <= TIMEOUT) {
                return false; // it runs
            }
            long timeout = Long.parseUnsignedLong(call[TIMEOUT].substring(2), 16);
            return call[FUTEX_OPERATION].equals(FUTEX_WAIT) ? timeout == 0 : (int) timeout == -1;
        });
    }

    /** Whether every thread has obeyed SIGSTOP. */
    public static boolean areStopped(long pid) {
        return all(pid, thread -> state(Files.readString(thread.resolve("stat"))) == 'T');
    }

    /** Whether a thread whose name begins so waits for what at most SIGKILL ends: state D of proc_pid_stat(5). */
    public static boolean anyIsUninterruptible(long pid, String prefix) {
        return !all(pid, thread -> {
            String stat = Files.readString(thread.resolve("stat"));
            return !stat.contains("(" + prefix) || state(stat) != 'D';
        });
    }

    private static char state(String stat) { // number (name) state ...
        return stat.charAt(stat.lastIndexOf(')') + 2);
    }

    @FunctionalInterface
    private interface Look {
        boolean holds(Path thread) throws IOException;
    }

    private static boolean all(long pid, Look look) {
        Predicate<Path> holds = thread -> {
            try {
                return look.holds(thread);
            } catch (NoSuchFileException e) {
                return true; // it has ended meanwhile
            } catch (IOException e) {
                if ("No such process".equals(e.getMessage())) {
                    return true; // the same, ESRCH
                }
                throw new UncheckedIOException(e);
            }
        };
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/" + pid + "/task"))) {
            boolean all = true;
            for (Path thread : threads) {
                all &= holds.test(thread);
            }
            return all;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
