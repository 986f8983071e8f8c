package io.sendfiled.engine;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Logs who was refused: the first request of a user at once, then once a minute how many there were. However many users
 * and processes try, it has so many entries, and so many lines a minute, and not more.
 *
 * <p>One thread, which may wait for whoever reads the log.
 */
final class RefusalLog {
    /** Why a request was refused. */
    enum Reason {
        NOT_ALLOWED("not in allow-users or allow-groups"),
        UNKNOWN_USER("a user of whom nothing is known in this user namespace"),
        OWN_PROCESS("not by a client, but by this process");

        private final String sentence;

        Reason(String sentence) {
            this.sentence = sentence;
        }
    }

    /** Users that have an entry of their own; all others share one. */
    static final int USERS = 32;

    private static final long PAUSE_NS = TimeUnit.MINUTES.toNanos(1);

    /* of one user, or in the last place of all that have found no place */
    private static final class Entry {
        int uid;
        int pid; // of the last request
        Reason reason = Reason.NOT_ALLOWED; // likewise
        long count; // requests of which nothing is logged yet
        long toldNs;
        boolean told; // a line was logged at toldNs
        boolean used;
    }

    private final Entry[] entries = new Entry[USERS + 1];
    private final LogLines lines;

    /** @param lines takes what it tells */
    RefusalLog(LogLines lines) {
        this.lines = lines;
        for (int i = 0; i < entries.length; i++) {
            entries[i] = new Entry();
        }
    }

    /** Notes a refused request. */
    void add(int uid, int pid, Reason reason, long nowNs) {
        Entry entry = find(uid, nowNs);
        entry.used = true;
        entry.uid = uid;
        entry.pid = pid;
        entry.reason = reason;
        entry.count++;
    }

    /* The entry of that user, or a free one, or that of a user who has been quiet for long enough. */
    private Entry find(int uid, long nowNs) {
        @Nullable Entry free = null;
        for (int i = 0; i < USERS; i++) {
            Entry entry = entries[i];
            if (entry.used && entry.uid == uid) {
                return entry;
            }
            if (free == null && (!entry.used || (entry.count == 0 && isDue(entry, nowNs)))) {
                free = entry;
            }
        }
        if (free == null) {
            return entries[USERS];
        }
        free.told = false;
        return free;
    }

    private static boolean isDue(Entry entry, long nowNs) {
        return !entry.told || nowNs - entry.toldNs >= PAUSE_NS;
    }

    /**
     * Logs what is due.
     *
     * @return in how many milliseconds there will be something to log; -1: nothing is left
     */
    int tell(long nowNs) {
        long nextNs = Long.MAX_VALUE;
        for (int i = 0; i < entries.length; i++) {
            Entry entry = entries[i];
            if (entry.count > 0 && isDue(entry, nowNs)) {
                lines.log(System.Logger.Level.WARNING, line(entry, i == USERS), fields(entry));
                entry.count = 0;
                entry.told = true;
                entry.toldNs = nowNs;
            } else if (entry.count > 0) {
                nextNs = Math.min(nextNs, entry.toldNs + PAUSE_NS - nowNs);
            }
        }
        return nextNs == Long.MAX_VALUE ? -1 : (int) TimeUnit.NANOSECONDS.toMillis(nextNs) + 1;
    }

    private static Map<String, ?> fields(Entry entry) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("event", "refused");
        fields.put("uid", Integer.toUnsignedLong(entry.uid));
        fields.put("pid", entry.pid);
        fields.put("errno", "EACCES");
        fields.put("requests", entry.count);
        return fields;
    }

    private static String line(Entry entry, boolean others) {
        StringBuilder line = new StringBuilder("refused");
        if (entry.count > 1 || others) {
            line.append(" ").append(entry.count).append(entry.count > 1 ? " requests" : " request");
        }
        line.append(others ? " of further users, the last: uid " : ": uid ")
                .append(Integer.toUnsignedString(entry.uid))
                .append(entry.count > 1 && !others ? ", the last: " : ", ");
        if (entry.pid == 0) {
            line.append("a process of another pid namespace");
        } else {
            line.append("pid ").append(entry.pid);
        }
        return line.append(": ")
                .append(entry.reason.sentence)
                .append(" (EACCES)")
                .toString();
    }
}
