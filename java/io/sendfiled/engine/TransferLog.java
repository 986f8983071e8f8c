package io.sendfiled.engine;

import io.sendfiled.base.SystemLog;
import io.sendfiled.jni.Records;
import io.sendfiled.names.LogText;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.units.Numbers;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.TimeUnit;

/**
 * Logs refusals and failures, a line each: who has asked for what, and why it was not done.
 *
 * <p>However many there are: in ten seconds a reason has ten lines, and all of them together a hundred; the rest is
 * counted by reasons in one line at their end. Who may not ask at all is counted by users, in {@link RefusalLog}.
 * Transfers that their clients have cancelled are not told of.
 */
final class TransferLog implements RecordSink {
    static final int LINES_A_REASON = 10;
    static final int LINES = 100;

    private static final long WINDOW_NS = TimeUnit.SECONDS.toNanos(10);
    private static final int ERRNOS = 256;
    private static final int NEVER = -1;

    private final Authorizer authorizer;
    private final LogLines log;
    private final RefusalLog users;
    private final int[] lines = new int[ERRNOS]; // in this window
    private final long[] left = new long[ERRNOS]; // out of the log
    private int allLines;
    private long allLeft;
    private long beginNs; // of the window
    private boolean open;

    TransferLog(Authorizer authorizer) {
        this(
                authorizer,
                (level, message, fields) -> SystemLog.log("io.sendfiled.daemon", level, message, null, fields));
    }

    TransferLog(Authorizer authorizer, LogLines log) {
        this.authorizer = authorizer;
        this.log = log;
        users = new RefusalLog(log);
    }

    @Override
    public int kinds() {
        return Records.REFUSED | Records.FAILED;
    }

    @Override
    public void take(Records record) {
        take(record, System.nanoTime());
    }

    void take(Records record, long nowNs) {
        int errno = record.error();
        if (errno == Errno.EACCES && record.isUnbegun()) { // the dispatcher's; an open that gives it has a transfer
            users.add(record.uid(), record.pid(), authorizer.reason(record.uid(), record.pid()), nowNs);
            return;
        }
        if (open && nowNs - beginNs >= WINDOW_NS) {
            end();
        }
        if (!open) {
            open = true;
            beginNs = nowNs;
        }
        int reason = errno > 0 && errno < ERRNOS ? errno : 0;
        if (lines[reason] == LINES_A_REASON || allLines == LINES) {
            left[reason]++;
            allLeft++;
            return;
        }
        lines[reason]++;
        allLines++;
        tell(record);
    }

    @Override
    public int flush(long nowNs) {
        int ms = users.tell(nowNs);
        if (open && nowNs - beginNs >= WINDOW_NS) {
            end();
        }
        if (allLeft == 0) {
            return ms;
        }
        int endMs = (int) TimeUnit.NANOSECONDS.toMillis(beginNs + WINDOW_NS - nowNs) + 1;
        return ms == NEVER ? endMs : Math.min(ms, endMs);
    }

    private void end() {
        if (allLeft > 0) {
            tellLeft();
        }
        Arrays.fill(lines, 0);
        Arrays.fill(left, 0);
        allLines = 0;
        allLeft = 0;
        open = false;
    }

    private void tellLeft() {
        StringJoiner reasons = new StringJoiner(", ");
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("event", "left-out");
        fields.put("requests", allLeft);
        for (int errno = 0; errno < ERRNOS; errno++) {
            if (left[errno] > 0) {
                reasons.add(Errno.name(errno) + " " + Numbers.grouped(left[errno]));
                fields.put(Errno.name(errno), left[errno]);
            }
        }
        log.log(
                System.Logger.Level.WARNING,
                "refused or failed: " + Numbers.grouped(allLeft) + " more in the last "
                        + TimeUnit.NANOSECONDS.toSeconds(WINDOW_NS) + " s: " + reasons,
                fields);
    }

    private void tell(Records record) {
        boolean refused = record.kind() == Records.REFUSED;
        String operation = RecordWords.operation(record);
        int errno = record.error();
        StringBuilder line = new StringBuilder(refused ? "refused: uid " : "failed: uid ")
                .append(Integer.toUnsignedString(record.uid()));
        if (record.pid() == 0) {
            line.append(", a process of another pid namespace: ");
        } else {
            line.append(", pid ").append(record.pid()).append(": ");
        }
        line.append(operation);
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("event", refused ? "refused" : "failed");
        fields.put("uid", Integer.toUnsignedLong(record.uid()));
        fields.put("pid", record.pid());
        fields.put("operation", operation);
        String id = RecordWords.id(record);
        if (id != null) {
            fields.put("id", id);
        }
        if (record.pathLength() > 0) {
            byte[] path = record.path();
            line.append(record.isPathCut() ? " ..." : " ");
            LogText.quote(line, path);
            fields.put(record.isPathCut() ? "path_end" : "path", Names.text(path));
        }
        if (!refused) {
            line.append(" after ").append(record.bytes());
            if (record.size() != Records.UNKNOWN) {
                line.append(" of ").append(record.size());
            }
            line.append(" bytes");
        }
        fields.put("bytes", record.bytes());
        fields.put("errno", Errno.name(errno));
        line.append(": ").append(Errno.describe(errno));
        log.log(levelOf(errno), line.toString(), fields);
    }

    /** A fault of the machine is more than one of a client. */
    private static System.Logger.Level levelOf(int errno) {
        return switch (errno) {
            case Errno.EIO, Errno.ENOMEM, Errno.EUCLEAN -> System.Logger.Level.ERROR;
            default -> System.Logger.Level.WARNING;
        };
    }
}
