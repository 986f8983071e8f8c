/*
 * Natives of io.sendfiled.jni.SessionNative: a session with a daemon, <sendfiled/session.h>.
 *
 * A session is a struct sfd_session, whose address Java keeps. Thread: one at a time for a session; open_session waits
 * for the daemon, wait_for_session for completions. Owns nothing. Requests and completions are the C library's
 * structures, as Java has written them, and reads them, in memory of its own.
 */
#include "jni_util.h"

#include "sys/sys.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <sendfiled/session.h>

static struct sfd_session *session_of(jlong session)
{
    return (struct sfd_session *)(intptr_t)session;
}

/* What a function of the C library has given, as Java has it. */
static jint result_of(int result)
{
    return result < 0 ? -errno : result;
}

/* Both byte arrays end with a NUL. */
static jlong open_session(JNIEnv *env, jclass self, jbyteArray directory, jbyteArray name, jint submissions,
                          jint completions, jint arena)
{
    const struct sfd_session_options options = {
        .submissions = (uint32_t)submissions,
        .completions = (uint32_t)completions,
        .arena = (uint32_t)arena,
    };
    struct sfd_session *session = NULL;
    jlong result = -ENOMEM;

    (void)self;
    jbyte *const place = (*env)->GetByteArrayElements(env, directory, NULL);
    if (place == NULL) return result;
    jbyte *const instance = (*env)->GetByteArrayElements(env, name, NULL);
    if (instance != NULL) {
        result = result_of(sfd_session_open((const char *)place, (const char *)instance, &options, &session));
        (*env)->ReleaseByteArrayElements(env, name, instance, JNI_ABORT);
    }
    (*env)->ReleaseByteArrayElements(env, directory, place, JNI_ABORT);
    return result < 0 ? result : (jlong)(intptr_t)session;
}

static void close_session(JNIEnv *env, jclass self, jlong session)
{
    (void)env;
    (void)self;
    sfd_session_close(session_of(session));
}

static jint session_fd(JNIEnv *env, jclass self, jlong session)
{
    (void)env;
    (void)self;
    return sfd_session_fd(session_of(session));
}

static jint register_fd(JNIEnv *env, jclass self, jlong session, jint kind, jint fd, jlong user_data)
{
    (void)env;
    (void)self;
    return result_of(sfd_session_register(session_of(session), (enum sfd_session_kind)kind, fd, (uint64_t)user_data));
}

/* `requests` is the address of the first. */
static jint submit(JNIEnv *env, jclass self, jlong session, jlong requests, jint count)
{
    (void)env;
    (void)self;
    return result_of(
        sfd_session_submit(session_of(session), (const struct sfd_session_request *)(intptr_t)requests, (size_t)count));
}

static jint reap(JNIEnv *env, jclass self, jlong session, jlong completions, jint most)
{
    (void)env;
    (void)self;
    return result_of(
        sfd_session_reap(session_of(session), (struct sfd_session_completion *)(intptr_t)completions, (size_t)most));
}

static jlong address_of(JNIEnv *env, jclass self, jobject buffer)
{
    (void)self;
    return (jlong)(intptr_t)(*env)->GetDirectBufferAddress(env, buffer);
}

static jint open_event(JNIEnv *env, jclass self)
{
    (void)env;
    (void)self;
    return sfd_sys_eventfd();
}

static void signal_event(JNIEnv *env, jclass self, jint event)
{
    (void)env;
    (void)self;
    sfd_sys_event_signal(event);
}

static jint wait_for_session(JNIEnv *env, jclass self, jint fd, jint event, jint timeout_ms)
{
    (void)env;
    (void)self;
    const int result = sfd_sys_wait_either_readable(fd, event, timeout_ms);
    sfd_sys_event_clear(event);
    return result;
}

jint sfd_jni_register_session(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("open0", "([B[BIII)J", open_session),
        SFD_JNI_METHOD("close", "(J)V", close_session),
        SFD_JNI_METHOD("fd", "(J)I", session_fd),
        SFD_JNI_METHOD("register", "(JIIJ)I", register_fd),
        SFD_JNI_METHOD("submit0", "(JJI)I", submit),
        SFD_JNI_METHOD("reap0", "(JJI)I", reap),
        SFD_JNI_METHOD("address0", "(Ljava/nio/ByteBuffer;)J", address_of),
        SFD_JNI_METHOD("openEvent0", "()I", open_event),
        SFD_JNI_METHOD("signal", "(I)V", signal_event),
        SFD_JNI_METHOD("await", "(III)I", wait_for_session),
    };

    return sfd_jni_register(env, package, "SessionNative", methods, SFD_JNI_COUNT(methods));
}
