/*
 * Natives of io.sendfiled.jni.BufferNative: memory that is handed between processes.
 *
 * The state of a buffer is a struct sfd_buffer in a direct ByteBuffer, which the Java object owns. Java reads its
 * members (jni_constants.c), and lets only one thread at a time call in here. Never blocks on a socket.
 */
#include "jni_util.h"

#include "memory/buffer_handover.h"
#include "memory/memory.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

static const struct sfd_sys_memory *const sys = &sfd_sys_memory_linux;

static struct sfd_buffer *state_of(JNIEnv *env, jobject state)
{
    return (*env)->GetDirectBufferAddress(env, state);
}

static void init(JNIEnv *env, jclass self, jobject state)
{
    (void)self;
    *state_of(env, state) = (struct sfd_buffer)SFD_BUFFER_INIT;
}

/* `name` ends with a NUL. */
static jint allocate(JNIEnv *env, jclass self, jobject state, jbyteArray name, jlong size, jint flags)
{
    jbyte *bytes = (*env)->GetByteArrayElements(env, name, NULL);
    jint result;

    (void)self;
    if (bytes == NULL) return -ENOMEM;
    result = sfd_memory_create(sys, (const char *)bytes, (size_t)size, (unsigned)flags, state_of(env, state));
    (*env)->ReleaseByteArrayElements(env, name, bytes, JNI_ABORT);
    return result;
}

/* In a file on the disk of a directory, whose path ends with a NUL. */
static jint allocate_in(JNIEnv *env, jclass self, jobject state, jbyteArray directory, jlong size)
{
    jbyte *bytes = (*env)->GetByteArrayElements(env, directory, NULL);
    jint result;

    (void)self;
    if (bytes == NULL) return -ENOMEM;
    result = sfd_memory_create_in(sys, (const char *)bytes, (size_t)size, state_of(env, state));
    (*env)->ReleaseByteArrayElements(env, directory, bytes, JNI_ABORT);
    return result;
}

/* An empty file, which another process fills; `name` as above. */
static jint open_file(JNIEnv *env, jclass self, jbyteArray name)
{
    jbyte *bytes = (*env)->GetByteArrayElements(env, name, NULL);
    jint result;

    (void)self;
    if (bytes == NULL) return -ENOMEM;
    result = sfd_memory_open(sys, (const char *)bytes);
    (*env)->ReleaseByteArrayElements(env, name, bytes, JNI_ABORT);
    return result;
}

/* Takes `fd` on success. */
static jint map(JNIEnv *env, jclass self, jobject state, jint fd, jint flags)
{
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    jint result;

    (void)self;
    buffer.fd = fd;
    result = sfd_memory_map(sys, &buffer, SFD_MEMORY_WHOLE, (unsigned)flags);
    if (result == 0) *state_of(env, state) = buffer;
    return result;
}

static jint seal(JNIEnv *env, jclass self, jobject state)
{
    (void)self;
    return sfd_memory_seal(sys, state_of(env, state));
}

static jint revoke(JNIEnv *env, jclass self, jobject state)
{
    (void)self;
    return sfd_memory_revoke(sys, state_of(env, state));
}

static void release(JNIEnv *env, jclass self, jlong address, jlong length)
{
    (void)env;
    (void)self;
    sfd_memory_release(sys, (void *)(uintptr_t)address, (size_t)length);
}

static jint send_buffer(JNIEnv *env, jclass self, jobject state, jint socket)
{
    (void)self;
    return sfd_buffer_handover_send(sys, socket, state_of(env, state), MSG_DONTWAIT);
}

static jint move(JNIEnv *env, jclass self, jobject state, jint socket)
{
    (void)self;
    return sfd_buffer_handover_move(sys, socket, state_of(env, state), MSG_DONTWAIT);
}

static jint receive(JNIEnv *env, jclass self, jobject state, jint socket, jint flags)
{
    (void)self;
    return sfd_buffer_handover_receive(sys, socket, (unsigned)flags, MSG_DONTWAIT, state_of(env, state));
}

static void free_buffer(JNIEnv *env, jclass self, jobject state)
{
    (void)self;
    sfd_memory_free(sys, state_of(env, state));
}

/* NULL, with an OutOfMemoryError pending, when there is no room for the object. */
static jobject view(JNIEnv *env, jclass self, jlong address, jint length)
{
    (void)self;
    return (*env)->NewDirectByteBuffer(env, (void *)(uintptr_t)address, length);
}

jint sfd_jni_register_buffer(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("init0", "(Ljava/nio/ByteBuffer;)V", init),
        SFD_JNI_METHOD("allocate0", "(Ljava/nio/ByteBuffer;[BJI)I", allocate),
        SFD_JNI_METHOD("allocateIn0", "(Ljava/nio/ByteBuffer;[BJ)I", allocate_in),
        SFD_JNI_METHOD("openFile0", "([B)I", open_file),
        SFD_JNI_METHOD("map0", "(Ljava/nio/ByteBuffer;II)I", map),
        SFD_JNI_METHOD("seal0", "(Ljava/nio/ByteBuffer;)I", seal),
        SFD_JNI_METHOD("revoke0", "(Ljava/nio/ByteBuffer;)I", revoke),
        SFD_JNI_METHOD("release0", "(JJ)V", release),
        SFD_JNI_METHOD("send0", "(Ljava/nio/ByteBuffer;I)I", send_buffer),
        SFD_JNI_METHOD("move0", "(Ljava/nio/ByteBuffer;I)I", move),
        SFD_JNI_METHOD("receive0", "(Ljava/nio/ByteBuffer;II)I", receive),
        SFD_JNI_METHOD("free0", "(Ljava/nio/ByteBuffer;)V", free_buffer),
        SFD_JNI_METHOD("view0", "(JI)Ljava/nio/ByteBuffer;", view),
    };

    return sfd_jni_register(env, package, "BufferNative", methods, SFD_JNI_COUNT(methods));
}
