/*
 * What every glue file shares: registering natives. Glue is thin: unwrap, call one core function,
 * return its value.
 */
#ifndef SENDFILED_JNI_UTIL_H
#define SENDFILED_JNI_UTIL_H

#include <jni.h>
#include <stddef.h>

#define SFD_JNI_VERSION JNI_VERSION_10

/* JNI takes a function pointer as void *. ISO C has no such conversion; POSIX guarantees it. */
#define SFD_JNI_METHOD(name, signature, function)                                                                      \
    {                                                                                                                  \
        (char *)(name), (char *)(signature), __extension__(void *)(function)                                           \
    }

#define SFD_JNI_COUNT(methods) ((jint)(sizeof(methods) / sizeof((methods)[0])))

/* Registers a class's natives; JNI_OK, or an error with a Java exception pending. */
static inline jint sfd_jni_register(JNIEnv *env, const char *class_name, const JNINativeMethod *methods, jint count)
{
    jclass class = (*env)->FindClass(env, class_name);
    jint result;

    if (class == NULL) return JNI_ERR;
    result = (*env)->RegisterNatives(env, class, methods, count);
    (*env)->DeleteLocalRef(env, class);
    return result;
}

/* jni_engine.c: "setting.KEY" of a number of EngineNative.create; NULL behind the last. */
const char *sfd_jni_setting(size_t index);

#endif
