/*
 * Natives of io.sendfiled.jni.ClientNative: the client's end of the request socket.
 *
 * Thread: any. Owns nothing: sockets and descriptors belong to Java objects. Blocks in waitWritable0 and waitReadable0
 * only.
 */
#include "jni_util.h"

#include "base/lane.h"
#include "protocol/submit.h"
#include "sys/sys.h"

#include <errno.h>
#include <stddef.h>

static jint open_socket(JNIEnv *env, jclass self)
{
    (void)env;
    (void)self;
    return sfd_sys_unix_datagram();
}

/* `path` ends with a NUL: it is bytes, not text. */
static jint connect_socket(JNIEnv *env, jclass self, jint socket, jbyteArray path)
{
    jbyte *bytes = (*env)->GetByteArrayElements(env, path, NULL);
    jint result;

    (void)self;
    if (bytes == NULL) return -ENOMEM;
    result = sfd_lane_connect(socket, (const char *)bytes);
    (*env)->ReleaseByteArrayElements(env, path, bytes, JNI_ABORT);
    return result;
}

/* `request` is direct; a descriptor of -1 is none, and none follows it. */
static jint send_request(JNIEnv *env, jclass self, jint socket, jobject request, jint length, jint first, jint second,
                         jint third)
{
    const char *const bytes = (*env)->GetDirectBufferAddress(env, request);
    const int fds[SFD_RIGHTS_MAX] = {first, second, third};
    unsigned count = 0;

    (void)self;
    if (bytes == NULL || length < 0 || length > (*env)->GetDirectBufferCapacity(env, request)) return -EINVAL;
    while (count < SFD_RIGHTS_MAX && fds[count] >= 0)
        count++;
    return sfd_submit_send(&sfd_sys_linux, socket, bytes, (size_t)length, fds, count);
}

static jint wait_writable(JNIEnv *env, jclass self, jint socket, jint timeout_ms)
{
    (void)env;
    (void)self;
    return sfd_sys_wait_writable(socket, timeout_ms);
}

static jint wait_readable(JNIEnv *env, jclass self, jint socket, jint timeout_ms)
{
    (void)env;
    (void)self;
    return sfd_sys_wait_readable(socket, timeout_ms);
}

jint sfd_jni_register_client(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("openSocket0", "()I", open_socket),
        SFD_JNI_METHOD("connectSocket0", "(I[B)I", connect_socket),
        SFD_JNI_METHOD("sendRequest0", "(ILjava/nio/ByteBuffer;IIII)I", send_request),
        SFD_JNI_METHOD("waitWritable0", "(II)I", wait_writable),
        SFD_JNI_METHOD("waitReadable0", "(II)I", wait_readable),
    };

    return sfd_jni_register(env, package, "ClientNative", methods, SFD_JNI_COUNT(methods));
}
