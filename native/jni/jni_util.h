/*
 * What every glue file shares: registering natives. Glue is thin: unwrap, call one core function,
 * return its value.
 */
#ifndef SENDFILED_JNI_UTIL_H
#define SENDFILED_JNI_UTIL_H

#include <jni.h>
#include <stddef.h>
#include <stdio.h>

#define SFD_JNI_VERSION JNI_VERSION_10

/* JNI takes a function pointer as void *. ISO C has no such conversion; POSIX guarantees it. */
#define SFD_JNI_METHOD(name, signature, function)                                                                      \
    {                                                                                                                  \
        (char *)(name), (char *)(signature), __extension__(void *)(function)                                           \
    }

#define SFD_JNI_COUNT(methods) ((jint)(sizeof(methods) / sizeof((methods)[0])))

#define SFD_JNI_NAME_MAX 512

/*
 * Registers the natives of a class. JNI_OK, or an error with a Java exception pending. `package` is that of our
 * classes, as JNI writes it and with a "/" behind it: who puts them into a jar of their own may have relocated them.
 */
static inline jint sfd_jni_register(JNIEnv *env, const char *package, const char *class_name,
                                    const JNINativeMethod *methods, jint count)
{
    char name[SFD_JNI_NAME_MAX];
    jclass class;
    jint result;

    (void)snprintf(name, sizeof(name), "%s%s", package, class_name); /* what does not fit is not found */
    class = (*env)->FindClass(env, name);
    if (class == NULL) return JNI_ERR;
    result = (*env)->RegisterNatives(env, class, methods, count);
    (*env)->DeleteLocalRef(env, class);
    return result;
}

/* What a file of the hot path is, by position in HotNative's array. */
enum sfd_jni_hot {
    SFD_JNI_HOT_FD,
    SFD_JNI_HOT_ENTRY,
    SFD_JNI_HOT_HOLD,
    SFD_JNI_HOT_SIZE,
    SFD_JNI_HOT_MODIFIED,
    SFD_JNI_HOT_INODE,
    SFD_JNI_HOT_DEVICE,
    SFD_JNI_HOT_ACCESSED,
    SFD_JNI_HOT_CHANGED,
    SFD_JNI_HOT_MODE,
    SFD_JNI_HOT_NUMBERS,
};

/* jni_engine.c: "setting.KEY" of a number of EngineNative.create; NULL behind the last. */
const char *sfd_jni_setting(size_t index);

#endif
