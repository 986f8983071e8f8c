/*
 * Glue of io.sendfiled.jni.SuccessionNative: one process of an instance follows another. Owns nothing.
 */
#include "jni_util.h"

#include <stdint.h>

#include "engine.h"
#include "protocol/trial.h"
#include "sys/sys.h"
#include "sys/sys_setup.h"
#include "sys/sys_succession.h"

jint sfd_jni_register_succession(JNIEnv *env, const char *package);

static void *pointer(jlong handle)
{
    return (void *)(uintptr_t)handle;
}

static jint describe(JNIEnv *env, jclass class, jlong engine, jlongArray out)
{
    int64_t numbers[SFD_HANDOVER_NUMBERS_MAX];
    jlong copy[SFD_HANDOVER_NUMBERS_MAX];
    struct sfd_handover handover;

    (void)class;
    sfd_engine_describe(pointer(engine), &handover);
    const size_t count = sfd_handover_write(&handover, numbers);
    for (size_t i = 0; i < count; i++)
        copy[i] = numbers[i];
    (*env)->SetLongArrayRegion(env, out, 0, (jsize)count, copy);
    return (jint)count;
}

static void engine_pause(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_engine_pause(pointer(engine));
}

static jboolean engine_paused(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_paused(pointer(engine)) ? JNI_TRUE : JNI_FALSE;
}

static void engine_resume(JNIEnv *env, jclass class, jlong engine, jint fd)
{
    (void)env;
    (void)class;
    sfd_engine_resume(pointer(engine), fd);
}

static void engine_claim(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_engine_claim(pointer(engine));
}

static void engine_release(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_engine_release(pointer(engine));
}

static jboolean engine_idle(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_idle(pointer(engine)) ? JNI_TRUE : JNI_FALSE;
}

static void engine_take(JNIEnv *env, jclass class, jlong engine, jint successor, jint source)
{
    (void)env;
    (void)class;
    sfd_engine_take(pointer(engine), successor, (uint32_t)source);
}

static void engine_taken(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_engine_taken(pointer(engine));
}

static void engine_forget(JNIEnv *env, jclass class, jlong engine, jint index)
{
    (void)env;
    (void)class;
    sfd_engine_forget_predecessor(pointer(engine), (uint32_t)index);
}

static jboolean engine_delegates(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return sfd_engine_delegates(pointer(engine)) ? JNI_TRUE : JNI_FALSE;
}

/* In: the path and a NUL. */
static jint connect_stream(JNIEnv *env, jclass class, jobject path)
{
    (void)class;
    return sfd_sys_connect_stream((*env)->GetDirectBufferAddress(env, path));
}

static jint peer_pid(JNIEnv *env, jclass class, jint fd)
{
    (void)env;
    (void)class;
    return sfd_sys_peer_pid(fd);
}

static jint open_process(JNIEnv *env, jclass class, jint pid)
{
    (void)env;
    (void)class;
    return sfd_sys_linux.pidfd_open(pid);
}

static jint fetch(JNIEnv *env, jclass class, jint pidfd, jint fd)
{
    (void)env;
    (void)class;
    return sfd_sys_fetch(pidfd, fd);
}

static void let_in(JNIEnv *env, jclass class, jint pid)
{
    (void)env;
    (void)class;
    sfd_sys_let_in(pid);
}

static jint give_pair(JNIEnv *env, jintArray out, int result, const int fds[2])
{
    const jint numbers[] = {fds[0], fds[1]};

    if (result == 0) (*env)->SetIntArrayRegion(env, out, 0, 2, numbers);
    return result;
}

static jint message_pair(JNIEnv *env, jclass class, jintArray out)
{
    int fds[2];
    const int result = sfd_sys_message_pair(fds);

    (void)class;
    return give_pair(env, out, result, fds);
}

static jint peer_ids(JNIEnv *env, jclass class, jint fd, jintArray out)
{
    uint32_t ids[2] = {0, 0};
    const int result = sfd_sys_peer_ids(fd, ids);

    (void)class;
    return give_pair(env, out, result, (const int[]){(int)ids[0], (int)ids[1]});
}

static jint request_pair(JNIEnv *env, jclass class, jintArray out)
{
    int fds[2];
    const int result = sfd_sys_request_pair(fds);

    (void)class;
    return give_pair(env, out, result, fds);
}

static void close_fd(JNIEnv *env, jclass class, jint fd)
{
    (void)env;
    (void)class;
    (void)sfd_sys_setup_linux.close(fd);
}

static jint message_send(JNIEnv *env, jclass class, jint fd, jobject bytes, jint length)
{
    (void)class;
    return sfd_sys_message_send(fd, (*env)->GetDirectBufferAddress(env, bytes), (size_t)length);
}

static jint message_receive(JNIEnv *env, jclass class, jint fd, jint wake, jobject bytes, jint room, jint timeout_ms)
{
    (void)class;
    return sfd_sys_message_receive(fd, wake, (*env)->GetDirectBufferAddress(env, bytes), (size_t)room, timeout_ms);
}

static jlong trial_begin(JNIEnv *env, jclass class, jint socket)
{
    struct sfd_trial *trial = NULL;
    const int result = sfd_trial_begin(&trial, socket);

    (void)env;
    (void)class;
    return result < 0 ? result : (jlong)(uintptr_t)trial;
}

/* In: the path and a NUL. */
static jlong trial_begin_at(JNIEnv *env, jclass class, jobject path)
{
    struct sfd_trial *trial = NULL;
    const int socket = sfd_sys_unix_datagram();
    int result = socket;

    (void)class;
    if (result >= 0) result = sfd_sys_unix_connect(socket, (*env)->GetDirectBufferAddress(env, path));
    if (result >= 0) result = sfd_trial_begin(&trial, socket);
    if (socket >= 0) (void)sfd_sys_setup_linux.close(socket);
    return result < 0 ? result : (jlong)(uintptr_t)trial;
}

static jint trial_end(JNIEnv *env, jclass class, jlong trial, jint timeout_ms)
{
    (void)env;
    (void)class;
    return sfd_trial_end(pointer(trial), timeout_ms);
}

jint sfd_jni_register_succession(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("describe0", "(J[J)I", describe),
        SFD_JNI_METHOD("pause", "(J)V", engine_pause),
        SFD_JNI_METHOD("isPaused", "(J)Z", engine_paused),
        SFD_JNI_METHOD("resume", "(JI)V", engine_resume),
        SFD_JNI_METHOD("claim", "(J)V", engine_claim),
        SFD_JNI_METHOD("release", "(J)V", engine_release),
        SFD_JNI_METHOD("isIdle", "(J)Z", engine_idle),
        SFD_JNI_METHOD("take", "(JII)V", engine_take),
        SFD_JNI_METHOD("taken", "(J)V", engine_taken),
        SFD_JNI_METHOD("forgetPredecessor", "(JI)V", engine_forget),
        SFD_JNI_METHOD("delegates", "(J)Z", engine_delegates),
        SFD_JNI_METHOD("connect0", "(Ljava/nio/ByteBuffer;)I", connect_stream),
        SFD_JNI_METHOD("peerPid", "(I)I", peer_pid),
        SFD_JNI_METHOD("peerIds", "(I[I)I", peer_ids),
        SFD_JNI_METHOD("openProcess", "(I)I", open_process),
        SFD_JNI_METHOD("fetch", "(II)I", fetch),
        SFD_JNI_METHOD("letIn", "(I)V", let_in),
        SFD_JNI_METHOD("pair", "([I)I", message_pair),
        SFD_JNI_METHOD("requestPair", "([I)I", request_pair),
        SFD_JNI_METHOD("close", "(I)V", close_fd),
        SFD_JNI_METHOD("send0", "(ILjava/nio/ByteBuffer;I)I", message_send),
        SFD_JNI_METHOD("receive0", "(IILjava/nio/ByteBuffer;II)I", message_receive),
        SFD_JNI_METHOD("beginTrial", "(I)J", trial_begin),
        SFD_JNI_METHOD("beginTrialAt0", "(Ljava/nio/ByteBuffer;)J", trial_begin_at),
        SFD_JNI_METHOD("endTrial", "(JI)I", trial_end),
    };

    return sfd_jni_register(env, package, "SuccessionNative", methods, SFD_JNI_COUNT(methods));
}
