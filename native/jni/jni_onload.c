/*
 * The entry of the library and its exit: JNI_OnLoad registers the natives of every class, from one table, on the thread
 * that loads the library (io.sendfiled.jni.NativeLibrary); JNI_OnUnload takes back what would point into it, on a
 * thread of the JVM's. Another function gives the library's version. Owns nothing.
 */
#include "jni_util.h"

#include <stddef.h>

#include "sys/sys.h"

/* One line a glue file; each is defined in jni_<name>.c. */
static jint sfd_jni_register_library(JNIEnv *env);
jint sfd_jni_register_descriptors(JNIEnv *env);
jint sfd_jni_register_client(JNIEnv *env);
jint sfd_jni_register_buffer(JNIEnv *env);
jint sfd_jni_register_engine(JNIEnv *env);
jint sfd_jni_register_process(JNIEnv *env);
jint sfd_jni_register_invocation(JNIEnv *env);
jint sfd_jni_register_sandbox(JNIEnv *env);
jint sfd_jni_register_techniques(JNIEnv *env);
jint sfd_jni_register_constants(JNIEnv *env);

static jint (*const registrars[])(JNIEnv *) = {
    sfd_jni_register_library,   sfd_jni_register_descriptors, sfd_jni_register_client,     sfd_jni_register_engine,
    sfd_jni_register_process,   sfd_jni_register_sandbox,     sfd_jni_register_techniques, sfd_jni_register_buffer,
    sfd_jni_register_constants, sfd_jni_register_invocation,
};

static jstring library_version(JNIEnv *env, jclass class)
{
    (void)class;
    return (*env)->NewStringUTF(env, SENDFILED_VERSION);
}

static jint sfd_jni_register_library(JNIEnv *env)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("version0", "()Ljava/lang/String;", library_version),
    };

    return sfd_jni_register(env, "io/sendfiled/jni/NativeLibrary", methods, SFD_JNI_COUNT(methods));
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved)
{
    JNIEnv *env;

    (void)reserved;
    if ((*vm)->GetEnv(vm, (void **)&env, SFD_JNI_VERSION) != JNI_OK) return JNI_ERR;
    for (size_t i = 0; i < sizeof(registrars) / sizeof(registrars[0]); i++)
        if (registrars[i](env) != JNI_OK) return JNI_ERR;
    return SFD_JNI_VERSION;
}

/* Its class loader is gone. An engine that could not be freed, for a thread that a disk held, has left its handler. */
JNIEXPORT void JNICALL JNI_OnUnload(JavaVM *vm, void *reserved)
{
    (void)vm;
    (void)reserved;
    sfd_sys_wake_signal_forget();
}
