/*
 * Glue of io.sendfiled.jni.TechniquesNative: which ones this machine has, and which ones fit a destination. Any thread.
 * Owns nothing.
 */
#include "jni_util.h"

#include "sys/kernel.h"
#include "transfer/destination.h"

#include <string.h>

jint sfd_jni_register_techniques(JNIEnv *env, const char *package);

/* Out: i32 for each technique, 0 or -errno. */
static void probe(JNIEnv *env, jclass class, jobject buffer)
{
    int error[SFD_TECHNIQUES];

    (void)class;
    sfd_techniques_probe(&sfd_sys_linux, error);
    memcpy((*env)->GetDirectBufferAddress(env, buffer), error, sizeof error);
}

static jint fits(JNIEnv *env, jclass class, jint kind, jint device, jboolean nonblocking)
{
    const struct sfd_fd_info info = {
        .kind = (enum sfd_fd_kind)kind,
        .device = (enum sfd_fd_device)device,
        .nonblock = nonblocking == JNI_TRUE,
    };

    (void)env;
    (void)class;
    return (jint)sfd_destination_type_fits(&info);
}

/* The bits of TechniquesNative. */
static jint kernel_features(JNIEnv *env, jclass class)
{
    struct sfd_kernel kernel;

    (void)env;
    (void)class;
    if (sfd_kernel_init(&kernel, &sfd_sys_linux) < 0) return 0;
    const int features = (kernel.resolve_cached ? 1 : 0) | (kernel.cachestat ? 2 : 0) | (kernel.pidfds ? 4 : 0) |
                         (kernel.pidfs ? 8 : 0) | (kernel.pipe_write_flags != 0 ? 16 : 0);
    sfd_kernel_deinit(&kernel);
    return features;
}

jint sfd_jni_register_techniques(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("probe0", "(Ljava/nio/ByteBuffer;)V", probe),
        SFD_JNI_METHOD("kernel", "()I", kernel_features),
        SFD_JNI_METHOD("fits", "(IIZ)I", fits),
    };

    return sfd_jni_register(env, package, "TechniquesNative", methods, SFD_JNI_COUNT(methods));
}
