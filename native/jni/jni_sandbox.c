/*
 * Glue of io.sendfiled.jni.SandboxNative: the sandbox of the daemon's process. Main thread, at the start.
 * Owns nothing.
 */
#include "jni_util.h"

#include "process/sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

jint sfd_jni_register_sandbox(JNIEnv *env, const char *package);

static jint landlock(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return sfd_sandbox_landlock();
}

static jstring landlock_lacks(JNIEnv *env, jclass class)
{
    const char *call = sfd_sandbox_landlock_lacks();

    (void)class;
    return call == NULL ? NULL : (*env)->NewStringUTF(env, call);
}

static jint seccomp(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return sfd_sandbox_seccomp();
}

/* In, count times: a byte of access, the path and a NUL. */
static jint confine(JNIEnv *env, jclass class, jobject buffer, jint count)
{
    const char *at = (*env)->GetDirectBufferAddress(env, buffer);
    struct sfd_sandbox_rule *rules = calloc((size_t)count + 1, sizeof(*rules));
    int result = -ENOMEM;

    (void)class;
    if (rules != NULL) {
        for (jint i = 0; i < count; i++) {
            rules[i].access = (unsigned char)*at++;
            rules[i].path = at;
            at += strlen(at) + 1;
        }
        result = sfd_sandbox_confine(rules, (size_t)count);
        free(rules);
    }
    return result;
}

static jint filter(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return sfd_sandbox_filter();
}

static jint filter_at_work(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return sfd_sandbox_filter_at_work();
}

jint sfd_jni_register_sandbox(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("landlock", "()I", landlock),
        SFD_JNI_METHOD("landlockLacks", "()Ljava/lang/String;", landlock_lacks),
        SFD_JNI_METHOD("seccomp", "()I", seccomp),
        SFD_JNI_METHOD("confine0", "(Ljava/nio/ByteBuffer;I)I", confine),
        SFD_JNI_METHOD("filter", "()I", filter),
        SFD_JNI_METHOD("filterAtWork", "()I", filter_at_work),
    };

    return sfd_jni_register(env, package, "SandboxNative", methods, SFD_JNI_COUNT(methods));
}
