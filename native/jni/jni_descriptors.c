/*
 * Natives of io.sendfiled.jni.DescriptorsNative: fields of JDK objects that hold a descriptor, and fcntl(2).
 *
 * Thread: any. Owns nothing; a field id belongs to the Java side, which keeps it for as long as its class lives.
 * Never blocks, but in close and identity, as close(2) and fstat(2) do.
 */
#include "jni_util.h"

#include "sys/sys.h"
#include "sys/sys_setup.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The id of a field of `class` or of a class above it, 0 when there is none. JNI ignores access control. */
static jlong field_id(JNIEnv *env, jclass self, jclass class, jstring name, jstring signature)
{
    const char *name_chars = NULL;
    const char *signature_chars = NULL;
    jfieldID id = NULL;

    (void)self;
    name_chars = (*env)->GetStringUTFChars(env, name, NULL);
    if (name_chars == NULL) goto done;
    signature_chars = (*env)->GetStringUTFChars(env, signature, NULL);
    if (signature_chars == NULL) goto done;
    id = (*env)->GetFieldID(env, class, name_chars, signature_chars);
    if (id == NULL) (*env)->ExceptionClear(env); /* NoSuchFieldError; the caller reports it */
done:
    if (signature_chars != NULL) (*env)->ReleaseStringUTFChars(env, signature, signature_chars);
    if (name_chars != NULL) (*env)->ReleaseStringUTFChars(env, name, name_chars);
    return (jlong)(intptr_t)id;
}

static jint int_field(JNIEnv *env, jclass self, jobject object, jlong id)
{
    (void)self;
    return (*env)->GetIntField(env, object, (jfieldID)(intptr_t)id);
}

static void set_int_field(JNIEnv *env, jclass self, jobject object, jlong id, jint value)
{
    (void)self;
    (*env)->SetIntField(env, object, (jfieldID)(intptr_t)id, value);
}

static jobject object_field(JNIEnv *env, jclass self, jobject object, jlong id)
{
    (void)self;
    return (*env)->GetObjectField(env, object, (jfieldID)(intptr_t)id);
}

static jint duplicate(JNIEnv *env, jclass self, jint fd)
{
    (void)env;
    (void)self;
    return sfd_sys_linux.fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static jint set_close_on_exec(JNIEnv *env, jclass self, jint fd)
{
    (void)env;
    (void)self;
    return sfd_sys_linux.fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static jint close_fd(JNIEnv *env, jclass self, jint fd)
{
    (void)env;
    (void)self;
    return sfd_sys_linux.close(fd);
}

static jint identity(JNIEnv *env, jclass self, jint fd, jlongArray out)
{
    struct stat status;
    const int result = sfd_sys_setup_linux.fstat(fd, &status);

    (void)self;
    if (result == 0) {
        const jlong numbers[] = {(jlong)status.st_dev, (jlong)status.st_ino, (jlong)status.st_mode};
        (*env)->SetLongArrayRegion(env, out, 0, (jsize)(sizeof(numbers) / sizeof(numbers[0])), numbers);
    }
    return result;
}

static jboolean is_terminal(JNIEnv *env, jclass self, jint fd)
{
    (void)env;
    (void)self;
    return isatty(fd) == 1 ? JNI_TRUE : JNI_FALSE;
}

static jint terminal_width(JNIEnv *env, jclass self, jint fd)
{
    struct winsize size = {0};

    (void)env;
    (void)self;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static jint is_non_blocking(JNIEnv *env, jclass self, jint fd)
{
    const int flags = sfd_sys_linux.fcntl(fd, F_GETFL, 0);

    (void)env;
    (void)self;
    return flags < 0 ? flags : (flags & O_NONBLOCK) != 0;
}

jint sfd_jni_register_descriptors(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("fieldId", "(Ljava/lang/Class;Ljava/lang/String;Ljava/lang/String;)J", field_id),
        SFD_JNI_METHOD("intField", "(Ljava/lang/Object;J)I", int_field),
        SFD_JNI_METHOD("setIntField", "(Ljava/lang/Object;JI)V", set_int_field),
        SFD_JNI_METHOD("objectField", "(Ljava/lang/Object;J)Ljava/lang/Object;", object_field),
        SFD_JNI_METHOD("duplicate", "(I)I", duplicate),
        SFD_JNI_METHOD("setCloseOnExec", "(I)I", set_close_on_exec),
        SFD_JNI_METHOD("close", "(I)I", close_fd),
        SFD_JNI_METHOD("identity", "(I[J)I", identity),
        SFD_JNI_METHOD("isTerminal", "(I)Z", is_terminal),
        SFD_JNI_METHOD("terminalWidth", "(I)I", terminal_width),
        SFD_JNI_METHOD("isNonBlocking", "(I)I", is_non_blocking),
    };

    return sfd_jni_register(env, package, "DescriptorsNative", methods, SFD_JNI_COUNT(methods));
}
