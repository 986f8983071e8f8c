package io.sendfiled.engine;

import io.sendfiled.jni.Records;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import io.sendfiled.units.TransferId;
import org.jspecify.annotations.Nullable;

/** What a record says in words, alike in all logs. Stateless, any thread. */
public final class RecordWords {
    /* enum sfd_operation */
    private static final String[] OPERATIONS = {
        "request", "open", "read", "send", "send-descriptor", "send-open", "cancel"
    };

    private RecordWords() {}

    /** The name of the transfer, such as {@code 1-2034}: its loop, and its number there. Null: it has none. */
    public static @Nullable String id(Records record) {
        return record.id() == 0 ? null : TransferId.format(record.id());
    }

    /** What was asked for; {@code request}: nothing that is known. */
    public static String operation(Records record) {
        int operation = record.operation();
        return OPERATIONS[operation < OPERATIONS.length ? operation : 0];
    }

    /** {@code ok}, or the name of an errno. */
    public static String status(Records record) {
        return record.error() == 0 ? "ok" : Errno.name(record.error());
    }

    /** The technique that moved bytes; null: none was chosen. */
    public static @Nullable String technique(Records record) {
        Technique technique = record.technique() == 0 ? null : Technique.of(record.technique());
        return technique == null ? null : technique.label();
    }

    /** From the request to the first byte, in nanoseconds; -1: there was none. */
    public static long firstByteNs(Records record) {
        return record.firstByteNs() == 0 || record.receivedNs() == 0 ? -1 : record.firstByteNs() - record.receivedNs();
    }

    /** From the request to the end, in nanoseconds; -1: unknown. */
    public static long totalNs(Records record) {
        return record.receivedNs() == 0 ? -1 : record.endedNs() - record.receivedNs();
    }
}
