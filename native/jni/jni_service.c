/*
 * Glue of io.sendfiled.jni.ServiceNative: the service manager that has started the daemon. Main thread. Owns nothing.
 */
#include "jni_util.h"

#include "process/service_manager.h"

jint sfd_jni_register_service(JNIEnv *env, const char *package);

/* In: the address and a NUL. */
static jint service_connect(JNIEnv *env, jclass class, jobject address)
{
    (void)class;
    return sfd_service_connect((*env)->GetDirectBufferAddress(env, address));
}

static jint service_send(JNIEnv *env, jclass class, jint fd, jobject message, jint length)
{
    (void)class;
    return sfd_service_send(fd, (*env)->GetDirectBufferAddress(env, message), (size_t)length);
}

static jint await_receipt(JNIEnv *env, jclass class, jint fd, jint timeout_ms)
{
    (void)env;
    (void)class;
    return sfd_service_await_receipt(fd, timeout_ms);
}

/* Out: the path and a NUL. */
static jint service_socket(JNIEnv *env, jclass class, jint fd, jobject path)
{
    (void)class;
    return sfd_service_socket(fd, (*env)->GetDirectBufferAddress(env, path));
}

static jlong clock_us(JNIEnv *env, jclass class)
{
    (void)env;
    (void)class;
    return (jlong)sfd_service_clock_us();
}

jint sfd_jni_register_service(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("connect0", "(Ljava/nio/ByteBuffer;)I", service_connect),
        SFD_JNI_METHOD("send0", "(ILjava/nio/ByteBuffer;I)I", service_send),
        SFD_JNI_METHOD("awaitReceipt", "(II)I", await_receipt),
        SFD_JNI_METHOD("socket0", "(ILjava/nio/ByteBuffer;)I", service_socket),
        SFD_JNI_METHOD("clockUs", "()J", clock_us),
    };

    return sfd_jni_register(env, package, "ServiceNative", methods, SFD_JNI_COUNT(methods));
}
