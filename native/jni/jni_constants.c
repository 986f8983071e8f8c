/*
 * Natives of io.sendfiled.jni.NativeConstants: the numbers that C and Java both write down, for Java to compare. What
 * is missing in this table or in Java's classes, or differs, keeps the library from being used. Any thread. Owns
 * nothing.
 */
#include "jni_util.h"

#include <stddef.h>

#include <sendfiled/buffer.h>
#include <sendfiled/places.h>
#include <sendfiled/session.h>

#include "engine.h"
#include "hot.h"

#define MEMBER(structure, member)                                                                                      \
    {                                                                                                                  \
        .name = #structure "." #member, .value = offsetof(struct sfd_##structure, member)                              \
    }
#define SIZE(structure)                                                                                                \
    {                                                                                                                  \
        .name = #structure ".sizeof", .value = sizeof(struct sfd_##structure)                                          \
    }

static const struct constant {
    const char *name; /* GROUP.NAME */
    size_t value;
} table[] = {
    /* Layout */
    MEMBER(offload, task),
    MEMBER(offload, queue),
    MEMBER(offload, urgent),
    MEMBER(offload, client),
    MEMBER(offload, user),
    SIZE(offload),

    MEMBER(place, error),
    MEMBER(place, path),
    MEMBER(place, reason),
    SIZE(place),

    MEMBER(selection, size),
    MEMBER(selection, kind),
    MEMBER(selection, blocking),
    MEMBER(selection, verdict),
    MEMBER(selection, fits),
    SIZE(selection),

    MEMBER(slot, length),
    MEMBER(slot, fault),
    MEMBER(slot, uid),
    MEMBER(slot, gid),
    MEMBER(slot, pid),
    MEMBER(slot, verdict),
    MEMBER(slot, command),
    MEMBER(slot, range_offset),
    MEMBER(slot, range_length),
    MEMBER(slot, id),
    MEMBER(slot, root),
    MEMBER(slot, path),
    MEMBER(slot, path_length),
    MEMBER(slot, technique),
    MEMBER(slot, flags),
    MEMBER(slot, version),
    MEMBER(slot, segments),
    MEMBER(slot, rate),
    MEMBER(slot, idle_ms),
    MEMBER(slot, deadline_ms),
    MEMBER(slot, bytes),
    SIZE(slot),

    MEMBER(turn, requests),
    MEMBER(turn, offloads),
    MEMBER(turn, selections),
    MEMBER(turn, messages),
    MEMBER(turn, offload),
    MEMBER(turn, selection),
    MEMBER(turn, slot),
    MEMBER(turn, message),
    SIZE(turn),

    MEMBER(record, id),
    MEMBER(record, received_ns),
    MEMBER(record, first_byte_ns),
    MEMBER(record, ended_ns),
    MEMBER(record, bytes),
    MEMBER(record, size),
    MEMBER(record, pid),
    MEMBER(record, uid),
    MEMBER(record, error),
    MEMBER(record, kind),
    MEMBER(record, operation),
    MEMBER(record, technique),
    MEMBER(record, flags),
    MEMBER(record, loop),
    MEMBER(record, path_length),
    MEMBER(record, path),
    SIZE(record),

    MEMBER(message, ticket),
    MEMBER(message, length),
    MEMBER(message, content),
    SIZE(message),

    MEMBER(buffer, data),
    MEMBER(buffer, size),
    MEMBER(buffer, fd),
    MEMBER(buffer, seal),
    MEMBER(buffer, mapped),
    SIZE(buffer),

    MEMBER(counters_head, magic),
    MEMBER(counters_head, version),
    MEMBER(counters_head, pid),
    MEMBER(counters_head, size),
    MEMBER(counters_head, process_start),
    MEMBER(counters_head, started_ns),
    MEMBER(counters_head, started_epoch_ns),
    MEMBER(counters_head, state),
    MEMBER(counters_head, queues),
    MEMBER(counters_head, queue_size),
    MEMBER(counters_head, queues_at),
    MEMBER(counters_head, loops),
    MEMBER(counters_head, loop_size),
    MEMBER(counters_head, loops_at),
    MEMBER(counters_head, rows),
    MEMBER(counters_head, row_size),
    MEMBER(counters_head, rows_at),
    MEMBER(counters_head, counters),
    MEMBER(counters_head, counters_at),
    MEMBER(counters_head, operations),
    MEMBER(counters_head, techniques),
    MEMBER(counters_head, outcomes),
    MEMBER(counters_head, errnos),
    MEMBER(counters_head, requests_at),
    MEMBER(counters_head, outcomes_at),
    MEMBER(counters_head, flows_at),
    MEMBER(counters_head, refusals_at),
    MEMBER(counters_head, failures_at),
    MEMBER(counters_head, times),
    MEMBER(counters_head, histogram_size),
    MEMBER(counters_head, histograms_at),
    MEMBER(counters_head, cells),
    MEMBER(counters_head, cells_at),
    MEMBER(counters_head, turned_at),
    MEMBER(counters_head, name),
    MEMBER(counters_head, directory),
    SIZE(counters_head),

    MEMBER(counters_queue, device),
    MEMBER(counters_queue, begun),
    MEMBER(counters_queue, done),
    MEMBER(counters_queue, queued),
    SIZE(counters_queue),

    MEMBER(counters_flow, transfers),
    MEMBER(counters_flow, bytes),
    MEMBER(counters_flow, cold_windows),
    SIZE(counters_flow),

    MEMBER(counters_row, sequence),
    MEMBER(counters_row, id),
    MEMBER(counters_row, begun_ns),
    MEMBER(counters_row, asked_ns),
    MEMBER(counters_row, first_ns),
    MEMBER(counters_row, size),
    MEMBER(counters_row, moved),
    MEMBER(counters_row, pid),
    MEMBER(counters_row, uid),
    MEMBER(counters_row, operation),
    MEMBER(counters_row, technique),
    MEMBER(counters_row, waits_for),
    MEMBER(counters_row, cold),
    MEMBER(counters_row, ended),
    MEMBER(counters_row, path_length),
    MEMBER(counters_row, path),
    SIZE(counters_row),

    MEMBER(session_request, operation),
    MEMBER(session_request, flags),
    MEMBER(session_request, file),
    MEMBER(session_request, destination),
    MEMBER(session_request, user_data),
    MEMBER(session_request, path),
    MEMBER(session_request, head),
    MEMBER(session_request, head_length),
    MEMBER(session_request, offset),
    MEMBER(session_request, length),
    MEMBER(session_request, target),
    MEMBER(session_request, options),
    SIZE(session_request),

    MEMBER(session_completion, user_data),
    MEMBER(session_completion, error),
    MEMBER(session_completion, operation),
    MEMBER(session_completion, technique),
    MEMBER(session_completion, moved),
    MEMBER(session_completion, handle),
    MEMBER(session_completion, mode),
    MEMBER(session_completion, size),
    MEMBER(session_completion, mtime_ns),
    MEMBER(session_completion, inode),
    MEMBER(session_completion, device),
    SIZE(session_completion),

    MEMBER(options, rate),
    MEMBER(options, idle_ms),
    MEMBER(options, deadline_ms),
    MEMBER(options, technique),
    MEMBER(options, flags),
    SIZE(options),

    /* Codes */
    {"fault.malformed", SFD_SLOT_MALFORMED},
    {"fault.anonymous", SFD_SLOT_ANONYMOUS},
    {"fault.crowded", SFD_SLOT_CROWDED},
    {"fault.hello", SFD_SLOT_HELLO},
    {"kept.refused", SFD_RECORD_REFUSED},
    {"kept.failed", SFD_RECORD_FAILED},
    {"kept.done", SFD_RECORD_DONE},
    {"kept.cancelled", SFD_RECORD_CANCELLED},
    {"kept.stall", SFD_RECORD_STALL},
    {"kept.cold", SFD_RECORD_COLD},
    {"kept.cut", SFD_RECORD_PATH_CUT},
    {"kept.unbegun", SFD_RECORD_UNBEGUN},
    {"queue.close", SFD_QUEUE_CLOSE},
    {"queue.open", SFD_QUEUE_OPEN},
    {"queue.linger", SFD_QUEUE_LINGER},
    {"queue.count", SFD_QUEUES},
    {"kind.pipe", SFD_FD_PIPE},
    {"kind.tcp", SFD_FD_TCP},
    {"kind.unix", SFD_FD_UNIX_STREAM},
    {"kind.seqpacket", SFD_FD_UNIX_SEQPACKET},
    {"kind.file", SFD_FD_REGULAR},
    {"kind.device", SFD_FD_CHAR},
    {"device.null", SFD_FD_DEVICE_NULL},
    {"device.full", SFD_FD_DEVICE_FULL},
    {"device.terminal", SFD_FD_DEVICE_TERMINAL},
    {"technique.count", SFD_TECHNIQUES},
    {"counter.count", SFD_COUNTERS},
    {"content.most", SFD_CONTENT_MAX},
    {"counted.version", SFD_COUNTERS_VERSION},
    {"counted.kinds", SFD_OPERATIONS},
    {"counted.outcomes", SFD_OUTCOMES},
    {"counted.waits", SFD_WAITS_FOR_KINDS},
    {"counted.latencies", SFD_TIMES},
    {"session.open", SFD_SESSION_OPEN},
    {"session.send", SFD_SESSION_SEND},
    {"session.read", SFD_SESSION_READ},
    {"session.load", SFD_SESSION_LOAD},
    {"session.release", SFD_SESSION_RELEASE},
    {"session.withdraw", SFD_SESSION_WITHDRAW},
    {"session.file", SFD_SESSION_FILE},
    {"session.destination", SFD_SESSION_DESTINATION},
    {"session.buffer", SFD_SESSION_BUFFER},
    {"hot.done", SFD_HOT_STEP_DONE},
    {"hot.blocked", SFD_HOT_STEP_BLOCKED},
    {"hot.cold", SFD_HOT_STEP_COLD},
    {"hot.fd", SFD_JNI_HOT_FD},
    {"hot.entry", SFD_JNI_HOT_ENTRY},
    {"hot.hold", SFD_JNI_HOT_HOLD},
    {"hot.size", SFD_JNI_HOT_SIZE},
    {"hot.modified", SFD_JNI_HOT_MODIFIED},
    {"hot.inode", SFD_JNI_HOT_INODE},
    {"hot.device", SFD_JNI_HOT_DEVICE},
    {"hot.accessed", SFD_JNI_HOT_ACCESSED},
    {"hot.changed", SFD_JNI_HOT_CHANGED},
    {"hot.mode", SFD_JNI_HOT_MODE},
    {"hot.numbers", SFD_JNI_HOT_NUMBERS},
};

#define CONSTANTS (sizeof(table) / sizeof(table[0]))

/* The settings follow the table, numbered from 0. */
static jstring constant_name(JNIEnv *env, jclass class, jint index)
{
    const size_t i = (size_t)index;
    const char *name = i < CONSTANTS ? table[i].name : sfd_jni_setting(i - CONSTANTS);

    (void)class;
    return name == NULL ? NULL : (*env)->NewStringUTF(env, name);
}

static jint constant_value(JNIEnv *env, jclass class, jint index)
{
    const size_t i = (size_t)index;

    (void)env;
    (void)class;
    return (jint)(i < CONSTANTS ? table[i].value : i - CONSTANTS);
}

jint sfd_jni_register_constants(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("name0", "(I)Ljava/lang/String;", constant_name),
        SFD_JNI_METHOD("value0", "(I)I", constant_value),
    };

    return sfd_jni_register(env, package, "NativeConstants", methods, SFD_JNI_COUNT(methods));
}
