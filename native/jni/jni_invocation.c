/*
 * Natives of io.sendfiled.jni.InvocationNative: arguments, environment and working directory of this process as bytes.
 *
 * Thread: any. Owns nothing: the arguments belong to the C library for as long as the process lives. Never blocks, but
 * for getcwd(3) as the file system does.
 */
#include "jni_util.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

jint sfd_jni_register_invocation(JNIEnv *env);

/* glibc gives them to the constructors of every library, also of one that is loaded later; others do not. */
static struct {
    int count;
    char *const *values;
} process_arguments;

#ifdef __GLIBC__
__attribute__((constructor)) static void keep_arguments(int count, char **values)
{
    process_arguments.count = count;
    process_arguments.values = values;
}
#endif

/* NULL with an exception pending when there is no memory. */
static jbyteArray new_bytes(JNIEnv *env, const char *text)
{
    const jsize length = (jsize)strlen(text);
    jbyteArray bytes = (*env)->NewByteArray(env, length);

    if (bytes != NULL) (*env)->SetByteArrayRegion(env, bytes, 0, length, (const jbyte *)text);
    return bytes;
}

static jobjectArray arguments(JNIEnv *env, jclass self)
{
    jclass type = (*env)->FindClass(env, "[B");
    jobjectArray all = type == NULL ? NULL : (*env)->NewObjectArray(env, process_arguments.count, type, NULL);

    (void)self;
    for (jsize i = 0; all != NULL && i < process_arguments.count; i++) {
        jbyteArray one = new_bytes(env, process_arguments.values[i]);

        if (one == NULL) return NULL;
        (*env)->SetObjectArrayElement(env, all, i, one);
        (*env)->DeleteLocalRef(env, one);
    }
    return all;
}

static jbyteArray environment(JNIEnv *env, jclass self, jstring name)
{
    const char *chars = (*env)->GetStringUTFChars(env, name, NULL);
    const char *value;

    (void)self;
    if (chars == NULL) return NULL;
    value = getenv(chars);
    (*env)->ReleaseStringUTFChars(env, name, chars);
    return value == NULL ? NULL : new_bytes(env, value);
}

static jbyteArray working_directory(JNIEnv *env, jclass self)
{
    char name[PATH_MAX];

    (void)self;
    return getcwd(name, sizeof name) == NULL ? NULL : new_bytes(env, name);
}

jint sfd_jni_register_invocation(JNIEnv *env)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("arguments", "()[[B", arguments),
        SFD_JNI_METHOD("environment", "(Ljava/lang/String;)[B", environment),
        SFD_JNI_METHOD("workingDirectory", "()[B", working_directory),
    };

    return sfd_jni_register(env, "io/sendfiled/jni/InvocationNative", methods, SFD_JNI_COUNT(methods));
}
