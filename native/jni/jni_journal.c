/*
 * Natives of io.sendfiled.jni.JournalNative: the records of requests that are over, for the one thread that tells about
 * them. Handles are those of engines. Owns nothing.
 */
#include "jni_util.h"

#include <stdint.h>

#include "engine.h"

static struct sfd_journal *journal_of(jlong engine)
{
    return &((struct sfd_engine *)(uintptr_t)engine)->shared.journal;
}

static void want(JNIEnv *env, jclass class, jlong engine, jint kinds)
{
    (void)env;
    (void)class;
    sfd_journal_want(journal_of(engine), (unsigned)kinds);
}

/* Out: as many records as it has room for. */
static jint take(JNIEnv *env, jclass class, jlong engine, jobject records)
{
    const jlong size = (*env)->GetDirectBufferCapacity(env, records);

    (void)class;
    return (jint)sfd_journal_take(journal_of(engine), (*env)->GetDirectBufferAddress(env, records),
                                  (uint32_t)((size_t)size / sizeof(struct sfd_record)));
}

static jlong lost(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    return (jlong)sfd_journal_lost(journal_of(engine));
}

static void await(JNIEnv *env, jclass class, jlong engine, jint rest_ms, jint timeout_ms)
{
    (void)env;
    (void)class;
    sfd_journal_wait(journal_of(engine), rest_ms, timeout_ms);
}

static void wake(JNIEnv *env, jclass class, jlong engine)
{
    (void)env;
    (void)class;
    sfd_journal_wake(journal_of(engine));
}

jint sfd_jni_register_journal(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("want", "(JI)V", want), SFD_JNI_METHOD("take", "(JLjava/nio/ByteBuffer;)I", take),
        SFD_JNI_METHOD("lost", "(J)J", lost),  SFD_JNI_METHOD("await", "(JII)V", await),
        SFD_JNI_METHOD("wake", "(J)V", wake),
    };

    return sfd_jni_register(env, package, "JournalNative", methods, SFD_JNI_COUNT(methods));
}
