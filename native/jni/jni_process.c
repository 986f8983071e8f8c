/*
 * Glue of io.sendfiled.jni.ProcessNative: the daemon as a process. Main thread, before the engine
 * starts and while it waits for a signal. Owns nothing.
 */
#include "jni_util.h"

#include "process/endpoint.h"
#include "process/process.h"
#include "sys/sys_setup.h"

#include <string.h>
#include <unistd.h>

jint sfd_jni_register_process(JNIEnv *env, const char *package);

static jint effective_uid(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return (jint)geteuid();
}

/* In: the name and a NUL. Out: i32 uid | i32 gid. */
static jint lookup_user(JNIEnv *env, jclass class, jobject buffer)
{
    char *data = (*env)->GetDirectBufferAddress(env, buffer);
    uid_t uid;
    gid_t gid;
    int result;

    (void)class;
    result = sfd_process_user(data, &uid, &gid);
    if (result == 0) {
        memcpy(data, &uid, sizeof uid);
        memcpy(data + sizeof uid, &gid, sizeof gid);
    }
    return result;
}

/* In: the name and a NUL. Out: i32 gid. */
static jint lookup_group(JNIEnv *env, jclass class, jobject buffer)
{
    char *data = (*env)->GetDirectBufferAddress(env, buffer);
    gid_t gid;
    int result;

    (void)class;
    result = sfd_process_group(data, &gid);
    if (result == 0) memcpy(data, &gid, sizeof gid);
    return result;
}

/* Out: i32 uid, as many as there is room for. */
static jlong members(JNIEnv *env, jclass class, jint gid, jobject buffer)
{
    const jlong room = (*env)->GetDirectBufferCapacity(env, buffer) / (jlong)sizeof(uid_t);

    (void)class;
    return (jlong)sfd_process_members((gid_t)gid, (*env)->GetDirectBufferAddress(env, buffer), (size_t)room);
}

static jint nobody(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return (jint)sfd_process_nobody(&sfd_sys_setup_linux);
}

static jint nogroup(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return (jint)sfd_process_nogroup(&sfd_sys_setup_linux);
}

static jint become(JNIEnv *env, jclass class, jint uid, jint gid)
{
    (void)env;
    (void)class;
    return sfd_process_become(&sfd_sys_setup_linux, (uid_t)uid, (gid_t)gid);
}

static jlong raise_open_files(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return (jlong)sfd_process_raise_open_files(&sfd_sys_setup_linux);
}

static jint open_signals(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return sfd_process_signals_open();
}

static jint await_signal(JNIEnv *env, jclass class, jint fd, jint timeout_ms)
{
    (void)env;
    (void)class;
    return sfd_process_signal_wait(fd, timeout_ms);
}

static void wake_signals(JNIEnv *env, jclass class, jint fd)
{
    (void)env;
    (void)class;
    sfd_process_signal_wake(fd);
}

static void close_signals(JNIEnv *env, jclass class, jint fd)
{
    (void)env;
    (void)class;
    sfd_process_signals_close(fd);
}

static jint check_report(JNIEnv *env, jclass class, jint fd)
{
    (void)env;
    (void)class;
    return sfd_process_report_check(fd);
}

static jint report(JNIEnv *env, jclass class, jint fd, jint value)
{
    (void)env;
    (void)class;
    return sfd_process_report(fd, value);
}

static jint detach(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return sfd_process_detach();
}

static jint finish_detach(JNIEnv *env, jclass class, jint log_fd)
{
    (void)env;
    (void)class;
    return sfd_process_detached_finish(log_fd);
}

static void unblock_output(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    sfd_process_output_unblock();
}

static jint close_to_others(JNIEnv *env, jclass class, jint fd)
{
    (void)env;
    (void)class;
    return sfd_sys_setup_linux.fchmod(fd, 0600);
}

/* In: the path and a NUL. */
static jint open_log(JNIEnv *env, jclass class, jobject buffer, jint mode)
{
    (void)class;
    return sfd_process_log_open((*env)->GetDirectBufferAddress(env, buffer), (mode_t)mode);
}

/* In: the directory and a NUL, the name and a NUL. */
static jint instance_holder(JNIEnv *env, jclass class, jobject buffer)
{
    const char *data = (*env)->GetDirectBufferAddress(env, buffer);

    (void)class;
    return sfd_endpoint_holder(data, data + strlen(data) + 1);
}

jint sfd_jni_register_process(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("effectiveUid", "()I", effective_uid),
        SFD_JNI_METHOD("lookupUser0", "(Ljava/nio/ByteBuffer;)I", lookup_user),
        SFD_JNI_METHOD("lookupGroup0", "(Ljava/nio/ByteBuffer;)I", lookup_group),
        SFD_JNI_METHOD("members0", "(ILjava/nio/ByteBuffer;)J", members),
        SFD_JNI_METHOD("nobody", "()I", nobody),
        SFD_JNI_METHOD("nogroup", "()I", nogroup),
        SFD_JNI_METHOD("become", "(II)I", become),
        SFD_JNI_METHOD("raiseOpenFiles", "()J", raise_open_files),
        SFD_JNI_METHOD("openSignals", "()I", open_signals),
        SFD_JNI_METHOD("awaitSignal", "(II)I", await_signal),
        SFD_JNI_METHOD("wakeSignals", "(I)V", wake_signals),
        SFD_JNI_METHOD("closeSignals", "(I)V", close_signals),
        SFD_JNI_METHOD("checkReport", "(I)I", check_report),
        SFD_JNI_METHOD("report", "(II)I", report),
        SFD_JNI_METHOD("detach", "()I", detach),
        SFD_JNI_METHOD("finishDetach", "(I)I", finish_detach),
        SFD_JNI_METHOD("unblockOutput", "()V", unblock_output),
        SFD_JNI_METHOD("closeToOthers", "(I)I", close_to_others),
        SFD_JNI_METHOD("openLog0", "(Ljava/nio/ByteBuffer;I)I", open_log),
        SFD_JNI_METHOD("instanceHolder0", "(Ljava/nio/ByteBuffer;)I", instance_holder),
    };

    return sfd_jni_register(env, package, "ProcessNative", methods, SFD_JNI_COUNT(methods));
}
