/*
 * The entry of the library and its exit: JNI_OnLoad registers the natives of every class, from one table, on the thread
 * that loads the library (io.sendfiled.jni.NativeLibrary); JNI_OnUnload takes back what would point into it, on a
 * thread of the JVM's. Another function gives the library's version. Owns nothing.
 */
#include "jni_util.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "sys/sys.h"

/* One line a glue file; each is defined in jni_<name>.c. */
static jint sfd_jni_register_library(JNIEnv *env, const char *package);
jint sfd_jni_register_descriptors(JNIEnv *env, const char *package);
jint sfd_jni_register_client(JNIEnv *env, const char *package);
jint sfd_jni_register_buffer(JNIEnv *env, const char *package);
jint sfd_jni_register_engine(JNIEnv *env, const char *package);
jint sfd_jni_register_local(JNIEnv *env, const char *package);
jint sfd_jni_register_process(JNIEnv *env, const char *package);
jint sfd_jni_register_invocation(JNIEnv *env, const char *package);
jint sfd_jni_register_sandbox(JNIEnv *env, const char *package);
jint sfd_jni_register_service(JNIEnv *env, const char *package);
jint sfd_jni_register_succession(JNIEnv *env, const char *package);
jint sfd_jni_register_techniques(JNIEnv *env, const char *package);
jint sfd_jni_register_constants(JNIEnv *env, const char *package);
jint sfd_jni_register_places(JNIEnv *env, const char *package);
jint sfd_jni_register_hot(JNIEnv *env, const char *package);
jint sfd_jni_register_journal(JNIEnv *env, const char *package);
jint sfd_jni_register_session(JNIEnv *env, const char *package);

static jint (*const registrars[])(JNIEnv *, const char *) = {
    sfd_jni_register_library,   sfd_jni_register_descriptors, sfd_jni_register_client,     sfd_jni_register_engine,
    sfd_jni_register_process,   sfd_jni_register_sandbox,     sfd_jni_register_techniques, sfd_jni_register_buffer,
    sfd_jni_register_constants, sfd_jni_register_invocation,  sfd_jni_register_service,    sfd_jni_register_places,
    sfd_jni_register_hot,       sfd_jni_register_local,       sfd_jni_register_succession, sfd_jni_register_journal,
    sfd_jni_register_session,
};

static jstring library_version(JNIEnv *env, jclass class)
{
    (void)class;
    return (*env)->NewStringUTF(env, SENDFILED_VERSION);
}

static jint sfd_jni_register_library(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("version0", "()Ljava/lang/String;", library_version),
    };

    return sfd_jni_register(env, package, "NativeLibrary", methods, SFD_JNI_COUNT(methods));
}

/* If `chars` is "a.b.jni.NativeLibrary", `package` becomes "a/b/jni/". */
static bool package_of_loader(const char *chars, char *package, size_t size)
{
    static const char loader[] = ".jni.NativeLibrary";
    const size_t length = strlen(chars);

    if (length >= size || length < sizeof(loader) || strcmp(chars + length - (sizeof(loader) - 1), loader) != 0)
        return false;
    const size_t kept = length - strlen("NativeLibrary");
    for (size_t i = 0; i < kept; i++)
        package[i] = chars[i] == '.' ? '/' : chars[i];
    package[kept] = 0;
    return true;
}

/*
 * The package of io.sendfiled.jni.NativeLibrary, by whichever name: it is the one that calls System.load, so it is on
 * the stack of this thread. Nothing else tells: another copy of our classes, under another name, may be in the same
 * JVM. As it was where there is no such frame. JNI_ERR with an exception pending.
 */
static jint package_of_caller(JNIEnv *env, char *package, size_t size)
{
    jclass throwable, element;
    jmethodID create, trace, class_name;
    jobject here;
    jobjectArray frames;
    bool found = false;

    if ((throwable = (*env)->FindClass(env, "java/lang/Throwable")) == NULL ||
        (element = (*env)->FindClass(env, "java/lang/StackTraceElement")) == NULL ||
        (create = (*env)->GetMethodID(env, throwable, "<init>", "()V")) == NULL ||
        (trace = (*env)->GetMethodID(env, throwable, "getStackTrace", "()[Ljava/lang/StackTraceElement;")) == NULL ||
        (class_name = (*env)->GetMethodID(env, element, "getClassName", "()Ljava/lang/String;")) == NULL ||
        (here = (*env)->NewObject(env, throwable, create)) == NULL)
        return JNI_ERR;
    frames = (*env)->CallObjectMethod(env, here, trace);
    if ((*env)->ExceptionCheck(env)) return JNI_ERR;
    const jsize count = (*env)->GetArrayLength(env, frames);
    for (jsize i = 0; i < count && !found; i++) {
        const jobject frame = (*env)->GetObjectArrayElement(env, frames, i);
        const jstring name = (*env)->CallObjectMethod(env, frame, class_name);
        if ((*env)->ExceptionCheck(env)) return JNI_ERR;
        const char *const chars = (*env)->GetStringUTFChars(env, name, NULL);
        if (chars == NULL) return JNI_ERR;
        found = package_of_loader(chars, package, size);
        (*env)->ReleaseStringUTFChars(env, name, chars);
        (*env)->DeleteLocalRef(env, name);
        (*env)->DeleteLocalRef(env, frame);
    }
    return JNI_OK;
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved)
{
    char package[SFD_JNI_NAME_MAX] = "io/sendfiled/jni/";
    JNIEnv *env;

    (void)reserved;
    if ((*vm)->GetEnv(vm, (void **)&env, SFD_JNI_VERSION) != JNI_OK) return JNI_ERR;
    if (package_of_caller(env, package, sizeof(package)) != JNI_OK) return JNI_ERR;
    for (size_t i = 0; i < sizeof(registrars) / sizeof(registrars[0]); i++)
        if (registrars[i](env, package) != JNI_OK) return JNI_ERR;
    return SFD_JNI_VERSION;
}

/* Its class loader is gone. An engine that could not be freed, for a thread that a disk held, has left its handler. */
JNIEXPORT void JNICALL JNI_OnUnload(JavaVM *vm, void *reserved)
{
    (void)vm;
    (void)reserved;
    sfd_sys_wake_signal_forget();
}
