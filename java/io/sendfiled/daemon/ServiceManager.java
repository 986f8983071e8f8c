package io.sendfiled.daemon;

import io.sendfiled.jni.ServiceNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What the service manager (systemd) is told, by the messages of sd_notify(3): that requests are taken, that the
 * configuration is read again, that the daemon ends and how long that may take, what it does, and that it is alive.
 * Without a service manager nothing is sent, and nothing waits.
 *
 * <p>Main thread. Keeps its socket until the process ends. A message waits a second at most; one that cannot be sent is
 * lost, but for the first {@linkplain #ready}: without that the manager would wait for it in vain, so it is tried again.
 */
final class ServiceManager {
    /** How often {@link #look} wants to be called for the status, at work and during the end. */
    private static final int STATUS_MS = 10_000;

    private static final int STATUS_AT_END_MS = 1_000;

    /** For what comes after the last transfer: disks, files, the JVM. */
    private static final int END_MS = 10_000;

    /** How long the last message may take: of a process that has ended, the manager does not know whose it is. */
    private static final int RECEIPT_MS = 5_000;

    /** Messages have 4096 bytes at most (NOTIFY_BUFFER_MAX of systemd). */
    private static final int STATUS_CHARACTERS = 500;

    private static final String ADDRESS = "NOTIFY_SOCKET";
    private static final String WATCHDOG = "WATCHDOG_USEC";
    private static final String WATCHDOG_PID = "WATCHDOG_PID";
    private static final String READY = "READY=1";
    private static final int NONE = -1;

    private final int fd;
    private final long watchdogNs; // between two signs of life; 0: none is wanted
    private final boolean detached;
    private long aliveNs; // when the last one was due
    private long statusNs; // when the status was looked at last
    private long statusPeriodNs = TimeUnit.MILLISECONDS.toNanos(STATUS_MS);
    private String status = "";
    private boolean readyIsDue;

    /** None: nothing is told to anybody. */
    static ServiceManager none() {
        return new ServiceManager(NONE, 0, false);
    }

    private ServiceManager(int fd, long watchdogNs, boolean detached) {
        this.fd = fd;
        this.watchdogNs = watchdogNs;
        this.detached = detached;
        aliveNs = System.nanoTime();
        statusNs = aliveNs;
    }

    /**
     * The one that the environment names, if any; before the sandbox, and before the change of user.
     *
     * @param detached whether another process was started by it, which has started this one
     * @param complain is told why it cannot be reached, or what makes no sense in the environment
     */
    static ServiceManager connect(Map<String, String> environment, boolean detached, Consumer<String> complain) {
        String address = environment.getOrDefault(ADDRESS, "");
        if (address.isEmpty()) {
            return none();
        }
        int fd = ServiceNative.connect(Names.bytes(address));
        if (fd < 0) {
            complain.accept(ADDRESS + ": " + Names.printable(address) + ": the service manager is not told anything: "
                    + Errno.describe(-fd));
        }
        return new ServiceManager(fd < 0 ? NONE : fd, watchdogNs(environment, complain), detached);
    }

    /** Half of what it waits for a sign of life (sd_watchdog_enabled(3)); 0 if it does not, or does for another process. */
    private static long watchdogNs(Map<String, String> environment, Consumer<String> complain) {
        String period = environment.getOrDefault(WATCHDOG, "");
        String pid = environment.getOrDefault(WATCHDOG_PID, "");
        if (period.isEmpty()
                || !(pid.isEmpty()
                        || pid.equals(Long.toString(ProcessHandle.current().pid())))) {
            return 0;
        }
        try {
            long us = Long.parseLong(period);
            if (us > 0) {
                return Math.max(1, TimeUnit.MICROSECONDS.toNanos(us) / 2);
            }
        } catch (NumberFormatException e) {
            // said below
        }
        complain.accept(WATCHDOG + ": '" + Names.printable(period) + "' is no number of microseconds above 0");
        return 0;
    }

    /** Whether there is one. */
    boolean isPresent() {
        return fd != NONE;
    }

    /** Requests are taken; also again, after {@link #reloading}. */
    void ready(String newStatus) {
        String pid = detached ? "\nMAINPID=" + ProcessHandle.current().pid() : "";
        readyIsDue = send(READY + pid, newStatus) == -Errno.EAGAIN;
    }

    /** The configuration is read again; {@link #ready} must follow, whatever comes of it. */
    void reloading() {
        if (isPresent()) {
            send("RELOADING=1\nMONOTONIC_USEC=" + ServiceNative.clockUs(), "reading the configuration again");
        }
    }

    /** The end has begun, and may take so long. From here on {@link #look} wants to be called each second. */
    void stopping(String newStatus, long mayTakeMs) {
        readyIsDue = false;
        statusPeriodNs = TimeUnit.MILLISECONDS.toNanos(STATUS_AT_END_MS);
        send("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + TimeUnit.MILLISECONDS.toMicros(mayTakeMs + END_MS), newStatus);
    }

    /** It has failed, and ends. Waits until the manager knows, for seconds at most. */
    void failed(int errno, @Nullable String message) {
        send("ERRNO=" + errno, message == null ? "failed: " + Errno.describe(errno) : message);
        if (isPresent()) {
            int unused = ServiceNative.awaitReceipt(fd, RECEIPT_MS);
        }
    }

    /** In how many milliseconds {@link #look} has something to do; -1: never. */
    int lookMs() {
        if (!isPresent()) {
            return -1;
        }
        long now = System.nanoTime();
        long left = statusPeriodNs - (now - statusNs);
        if (watchdogNs > 0) {
            left = Math.min(left, watchdogNs - (now - aliveNs));
        }
        if (readyIsDue) {
            left = 0; // sending it waits
        }
        return (int) Math.max(0, TimeUnit.NANOSECONDS.toMillis(left + TimeUnit.MILLISECONDS.toNanos(1) - 1));
    }

    /**
     * Sends what is due: a sign of life if it is alive, and the status if that is another one.
     *
     * @param alive whether it is; false is asked for again after a part of the time only
     */
    void look(BooleanSupplier alive, Supplier<String> newStatus) {
        long now = System.nanoTime();
        if (!isPresent()) {
            return;
        }
        if (readyIsDue) {
            ready(newStatus.get());
        }
        if (watchdogNs > 0 && now - aliveNs >= watchdogNs) {
            boolean is = alive.getAsBoolean();
            if (is) {
                send("WATCHDOG=1");
            } else {
                send("STATUS=an event loop does not answer");
                status = "";
            }
            aliveNs = is ? now : now - watchdogNs + watchdogNs / 4;
        }
        if (now - statusNs >= statusPeriodNs) {
            statusNs = now;
            String next = newStatus.get();
            if (!next.equals(status) && send("STATUS=" + line(next)) == 0) {
                status = next;
            }
        }
    }

    private int send(String variables, String newStatus) {
        status = newStatus;
        return send(variables + "\nSTATUS=" + line(newStatus));
    }

    /** 0, also without a manager; or -errno: what is lost then is no reason to stop serving. */
    private int send(String message) {
        return isPresent() ? ServiceNative.send(fd, message.getBytes(StandardCharsets.UTF_8)) : 0;
    }

    /** A value ends with its line. */
    private static String line(String text) {
        String printable = Names.printable(text);
        return printable.length() <= STATUS_CHARACTERS ? printable : printable.substring(0, STATUS_CHARACTERS) + "...";
    }
}
