/*
 * Natives of io.sendfiled.jni.EngineNative: the engine and its loops.
 *
 * Handles are pointers; their validity is the Java class's business. Results are values or -errno.
 */
#include "jni_util.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "process/process.h"
#include "sys/sys_setup.h"

static void *pointer(jlong handle)
{
    return (void *)(uintptr_t)handle;
}

/* A NUL-terminated copy of a byte array; NULL without memory. Paths are bytes, not text. */
static char *copy_bytes(JNIEnv *env, jbyteArray array)
{
    const jsize length = (*env)->GetArrayLength(env, array);
    char *bytes = malloc((size_t)length + 1);

    if (bytes == NULL) return NULL;
    (*env)->GetByteArrayRegion(env, array, 0, length, (jbyte *)bytes);
    bytes[length] = '\0';
    return bytes;
}

#define SETTING(key, member)                                                                                           \
    {                                                                                                                  \
        "setting." key, offsetof(struct sfd_settings, member), sizeof(((struct sfd_settings *)NULL)->member)           \
    }

/*
 * The settings that cross as one array of numbers. Keys and order are those of the rows of io.sendfiled.config.Setting
 * that have Scope.CORE; NativeConstants compares them before the first engine is made.
 */
static const struct setting {
    const char *key;
    size_t offset; /* of the member of struct sfd_settings: uint32_t or uint64_t */
    size_t size;
} table[] = {
    SETTING("follow-root", follow_root),
    SETTING("max-transfers", max_transfers),
    SETTING("client-transfers", client.transfers),
    SETTING("client-descriptors", client.descriptors),
    SETTING("client-disk-tasks", client.disk_tasks),
    SETTING("memory", memory),
    SETTING("client-memory", client_memory),
    SETTING("open-timeout", open_timeout_ms),
    SETTING("loops", loops),
    SETTING("quantum", quantum),
    SETTING("buffer", buffer_size),
    SETTING("open-files", open_files),
    SETTING("open-files-age", open_files_ms),
    SETTING("idle-timeout", idle_timeout_ms),
    SETTING("drain-timeout", drain_timeout_ms),
};

#define SETTINGS (sizeof(table) / sizeof(table[0]))

const char *sfd_jni_setting(size_t index)
{
    return index < SETTINGS ? table[index].key : NULL;
}

/* The numbers as EngineNative.create has them. False unless there is one for each setting, and each fits. */
static bool copy_settings(JNIEnv *env, jlongArray array, struct sfd_settings *settings)
{
    jlong numbers[SETTINGS];

    if ((*env)->GetArrayLength(env, array) != (jsize)SETTINGS) return false;
    (*env)->GetLongArrayRegion(env, array, 0, (jsize)SETTINGS, numbers);
    for (size_t i = 0; i < SETTINGS; i++) {
        char *member = (char *)settings + table[i].offset;
        const uint64_t number = (uint64_t)numbers[i];
        const uint32_t low = (uint32_t)number;

        if (table[i].size == sizeof(number))
            memcpy(member, &number, sizeof(number));
        else if (table[i].size == sizeof(low) && low == number)
            memcpy(member, &low, sizeof(low));
        else
            return false;
    }
    return true;
}

/* The rules as EngineNative.create has them: two numbers each. False when there are too many. */
static bool copy_rules(JNIEnv *env, jlongArray array, struct sfd_settings *settings)
{
    jlong numbers[2 * SFD_RULES_MAX];
    const jsize length = (*env)->GetArrayLength(env, array);

    if (length > 2 * SFD_RULES_MAX) return false;
    (*env)->GetLongArrayRegion(env, array, 0, length, numbers);
    settings->rule_count = (uint8_t)(length / 2);
    for (jsize i = 0; i < length / 2; i++) {
        const uint64_t packed = (uint64_t)numbers[2 * i + 1];
        settings->rules[i] = (struct sfd_rule){
            .max_size = (uint64_t)numbers[2 * i],
            .kinds = (uint16_t)packed,
            .blocking = (uint8_t)(packed >> 16),
            .technique = (uint8_t)(packed >> 24),
        };
    }
    return true;
}

/* 0 or -errno. */
static int copy_handover(JNIEnv *env, jlongArray array, struct sfd_handover *out)
{
    jlong numbers[SFD_HANDOVER_NUMBERS_MAX];
    int64_t copy[SFD_HANDOVER_NUMBERS_MAX];
    const jsize count = (*env)->GetArrayLength(env, array);

    if (count > SFD_HANDOVER_NUMBERS_MAX) return -EPROTO;
    (*env)->GetLongArrayRegion(env, array, 0, count, numbers);
    for (jsize i = 0; i < count; i++)
        copy[i] = numbers[i];
    return sfd_handover_read(out, copy, (size_t)count);
}

static jlong engine_create(JNIEnv *env, jclass class, jbyteArray dir, jbyteArray name, jbyteArray root,
                           jlongArray numbers, jlongArray rules, jboolean selector, jint mode, jint group,
                           jintArray users, jint passed_fd, jlongArray handover)
{
    jint uids[SFD_LANES_MAX + 1]; /* one more than can have a lane: the engine tells so */
    const jsize given = (*env)->GetArrayLength(env, users);
    const jsize count = given < SFD_LANES_MAX + 1 ? given : SFD_LANES_MAX + 1;
    const struct sfd_endpoint_access access = {.mode = (mode_t)mode, .group = (gid_t)group};
    const struct sfd_lane_users lane_users = {.uids = (const uint32_t *)uids, .count = (uint32_t)count};
    struct sfd_settings settings = {.selector = selector == JNI_TRUE};
    struct sfd_handover left;
    struct sfd_engine *engine = NULL;
    (*env)->GetIntArrayRegion(env, users, 0, count, uids);
    if (!copy_settings(env, numbers, &settings)) return -EINVAL;
    if (!copy_rules(env, rules, &settings)) return -E2BIG;
    int result = handover == NULL ? 0 : copy_handover(env, handover, &left);
    if (result < 0) return result;
    result = -ENOMEM;
    char *dir_bytes = dir == NULL ? NULL : copy_bytes(env, dir);
    char *name_bytes = copy_bytes(env, name);
    char *root_bytes = root == NULL ? NULL : copy_bytes(env, root);

    (void)class;
    if ((dir == NULL || dir_bytes != NULL) && name_bytes != NULL && (root == NULL || root_bytes != NULL))
        result = handover == NULL ? sfd_engine_create(&engine, &settings, dir_bytes, name_bytes, root_bytes, &access,
                                                      &lane_users, passed_fd)
                                  : sfd_engine_create_successor(&engine, &settings, dir_bytes, name_bytes, root_bytes,
                                                                &access, &lane_users, &left);
    free(dir_bytes);
    free(name_bytes);
    free(root_bytes);
    return result < 0 ? result : (jlong)(uintptr_t)engine;
}

static jint engine_reload(JNIEnv *env, jclass class, jlong handle, jlongArray numbers, jlongArray rules)
{
    struct sfd_engine *engine = pointer(handle);
    struct sfd_settings settings = {.selector = engine->shared.settings.selector};

    (void)class;
    if (!copy_settings(env, numbers, &settings)) return -EINVAL;
    if (!copy_rules(env, rules, &settings)) return -E2BIG;
    return sfd_engine_reload(engine, &settings);
}

/* The name goes into `out`, cut to its length. */
static jint demand_calls(JNIEnv *env, jclass class, jbyteArray out)
{
    const char *call = "";
    const int result = sfd_kernel_demand(&sfd_sys_linux, &call);
    const jsize room = (*env)->GetArrayLength(env, out);
    const jsize length = (jsize)strlen(call);

    (void)class;
    (*env)->SetByteArrayRegion(env, out, 0, length < room ? length : room, (const jbyte *)call);
    return result;
}

static jint client_uid(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return (jint)sfd_process_client_uid(&sfd_sys_setup_linux);
}

static jint engine_lanes_error(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_lanes_error(pointer(engine));
}

static jint engine_counters_error(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_counters_error(pointer(engine));
}

static jboolean tells_clients(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_tells_clients(pointer(engine)) ? JNI_TRUE : JNI_FALSE;
}

static void engine_drain(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_engine_drain(pointer(engine));
}

static jboolean engine_drained(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_drained(pointer(engine)) ? JNI_TRUE : JNI_FALSE;
}

static jint engine_transfers(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return (jint)sfd_engine_transfers(pointer(engine));
}

static jint engine_cancel_transfer(JNIEnv *env, jclass class, jlong engine, jlong id)
{
    (void)env;
    (void)class;
    return sfd_engine_cancel(pointer(engine), (uint64_t)id);
}

static jboolean engine_has_transfer(JNIEnv *env, jclass class, jlong engine, jlong id)
{
    (void)env;
    (void)class;
    return sfd_engine_has(pointer(engine), (uint64_t)id) ? JNI_TRUE : JNI_FALSE;
}

static jint engine_receive_error(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_receive_error(pointer(engine));
}

static void engine_close_endpoint(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_engine_close_endpoint(pointer(engine));
}

static void engine_destroy(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_engine_destroy(pointer(engine));
}

static jint engine_run_watchdog(JNIEnv *env, jclass class, jlong engine, jboolean pending)
{
    (void)env;
    (void)class;
    return (jint)sfd_engine_run_watchdog(pointer(engine), pending == JNI_TRUE);
}

static jboolean engine_probe(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_probe(pointer(engine)) ? JNI_TRUE : JNI_FALSE;
}

static jlong engine_add_carrier(JNIEnv *env, jclass class, jlong engine)
{
    struct sfd_carrier *carrier = NULL;

    (void)env;
    (void)class;
    const int result = sfd_engine_add_carrier(pointer(engine), &carrier);
    return result < 0 ? result : (jlong)(uintptr_t)carrier;
}

static void engine_wake_watchdog(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_engine_wake_watchdog(pointer(engine));
}

static void engine_await_chores(JNIEnv *env, jclass class, jlong engine, jint timeout_ms)
{
    (void)env;
    (void)class;
    sfd_engine_chores_wait(pointer(engine), timeout_ms);
}

static void engine_wake_chores(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_engine_chores_wake(pointer(engine));
}

static jint engine_missing_carriers(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return (jint)sfd_engine_missing_carriers(pointer(engine));
}

static jint engine_look(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_look(pointer(engine));
}

static jlong engine_loop(JNIEnv *env, jclass class, jlong engine, jint index)
{
    (void)env;
    (void)class;
    return (jlong)(uintptr_t)sfd_engine_loop(pointer(engine), (uint32_t)index);
}

static jlong loop_carrier(JNIEnv *env, jclass class, jlong loop)
{
    (void)env;
    (void)class;
    return (jlong)(uintptr_t)sfd_loop_carrier(pointer(loop));
}

static jobject carrier_turn(JNIEnv *env, jclass class, jlong carrier)
{
    (void)class;
    return (*env)->NewDirectByteBuffer(env, sfd_carrier_turn(pointer(carrier)), (jlong)sizeof(struct sfd_turn));
}

static jobject engine_counters(JNIEnv *env, jclass class, jlong handle)
{
    const struct sfd_engine *engine = pointer(handle);
    const struct sfd_counters_file *file = &engine->shared.counters_file;

    (void)class;
    return (*env)->NewDirectByteBuffer(env, file->head, (jlong)file->size);
}

static jint carrier_poll(JNIEnv *env, jclass class, jlong carrier)
{
    (void)env;
    (void)class;
    return sfd_carrier_poll(pointer(carrier));
}

static void carrier_destroy(JNIEnv *env, jclass class, jlong carrier)
{
    (void)env;
    (void)class;
    sfd_carrier_destroy(pointer(carrier));
}

static void loop_work(JNIEnv *env, jclass class, jlong task)
{
    (void)env;
    (void)class;
    sfd_loop_work(pointer(task));
}

static void begin_work(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    sfd_sys_stand_back();
}

static void loop_stop(JNIEnv *env, jclass class, jlong loop)
{
    (void)env;
    (void)class;
    sfd_loop_stop(pointer(loop));
}

jint sfd_jni_register_engine(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("create", "([B[B[B[J[JZII[II[J)J", engine_create),
        SFD_JNI_METHOD("reload", "(J[J[J)I", engine_reload),
        SFD_JNI_METHOD("demandCalls", "([B)I", demand_calls),
        SFD_JNI_METHOD("clientUid", "()I", client_uid),
        SFD_JNI_METHOD("tellsClients", "(J)Z", tells_clients),
        SFD_JNI_METHOD("lanesError", "(J)I", engine_lanes_error),
        SFD_JNI_METHOD("countersError", "(J)I", engine_counters_error),
        SFD_JNI_METHOD("drain", "(J)V", engine_drain),
        SFD_JNI_METHOD("isDrained", "(J)Z", engine_drained),
        SFD_JNI_METHOD("transfers", "(J)I", engine_transfers),
        SFD_JNI_METHOD("cancelTransfer", "(JJ)I", engine_cancel_transfer),
        SFD_JNI_METHOD("hasTransfer", "(JJ)Z", engine_has_transfer),
        SFD_JNI_METHOD("receiveError", "(J)I", engine_receive_error),
        SFD_JNI_METHOD("closeEndpoint", "(J)V", engine_close_endpoint),
        SFD_JNI_METHOD("destroy", "(J)V", engine_destroy),
        SFD_JNI_METHOD("runWatchdog", "(JZ)I", engine_run_watchdog),
        SFD_JNI_METHOD("probe", "(J)Z", engine_probe),
        SFD_JNI_METHOD("addCarrier", "(J)J", engine_add_carrier),
        SFD_JNI_METHOD("wakeWatchdog", "(J)V", engine_wake_watchdog),
        SFD_JNI_METHOD("awaitChores", "(JI)V", engine_await_chores),
        SFD_JNI_METHOD("wakeChores", "(J)V", engine_wake_chores),
        SFD_JNI_METHOD("missingCarriers", "(J)I", engine_missing_carriers),
        SFD_JNI_METHOD("lookAtSocket", "(J)I", engine_look),
        SFD_JNI_METHOD("loop", "(JI)J", engine_loop),
        SFD_JNI_METHOD("carrier", "(J)J", loop_carrier),
        SFD_JNI_METHOD("turn", "(J)Ljava/nio/ByteBuffer;", carrier_turn),
        SFD_JNI_METHOD("counters", "(J)Ljava/nio/ByteBuffer;", engine_counters),
        SFD_JNI_METHOD("poll", "(J)I", carrier_poll),
        SFD_JNI_METHOD("destroyCarrier", "(J)V", carrier_destroy),
        SFD_JNI_METHOD("beginWork", "()V", begin_work),
        SFD_JNI_METHOD("work", "(J)V", loop_work),
        SFD_JNI_METHOD("stop", "(J)V", loop_stop),
    };

    return sfd_jni_register(env, package, "EngineNative", methods, SFD_JNI_COUNT(methods));
}
