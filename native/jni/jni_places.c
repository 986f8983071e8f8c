/*
 * Natives of io.sendfiled.jni.PlacesNative: where a daemon's request socket is, and goes.
 *
 * Thread: any. Owns nothing: buffers and sockets belong to Java. Each function gets a direct buffer with room for
 * SFD_PLACES_MAX struct sfd_place, and a name that ends with a NUL, because it is bytes and not text.
 */
#include "jni_util.h"

#include "base/socket_places.h"
#include "process/socket_directory.h"

#include <errno.h>

jint sfd_jni_register_places(JNIEnv *env, const char *package);

static struct sfd_place *places_in(JNIEnv *env, jobject out)
{
    const jlong room = (*env)->GetDirectBufferCapacity(env, out);

    return room < (jlong)(SFD_PLACES_MAX * sizeof(struct sfd_place)) ? NULL : (*env)->GetDirectBufferAddress(env, out);
}

static jint find(JNIEnv *env, jclass self, jobject name, jobject out)
{
    const char *const bytes = (*env)->GetDirectBufferAddress(env, name);
    struct sfd_place *const places = places_in(env, out);
    struct sfd_place_rule rule;

    (void)self;
    if (bytes == NULL || places == NULL) return -EINVAL;
    sfd_place_rule_init(&rule);
    return sfd_places_find(&rule, bytes, places, SFD_PLACES_MAX);
}

static jint connect_place(JNIEnv *env, jclass self, jint socket, jobject name, jobject out)
{
    const char *const bytes = (*env)->GetDirectBufferAddress(env, name);
    struct sfd_place *const places = places_in(env, out);
    struct sfd_place_rule rule;

    (void)self;
    if (bytes == NULL || places == NULL) return -EINVAL;
    sfd_place_rule_init(&rule);
    return sfd_places_connect(&rule, socket, bytes, places);
}

static jint choose(JNIEnv *env, jclass self, jobject name, jobject out)
{
    const char *const bytes = (*env)->GetDirectBufferAddress(env, name);
    struct sfd_place *const places = places_in(env, out);
    struct sfd_place_rule rule;
    unsigned count;

    (void)self;
    if (bytes == NULL || places == NULL) return -EINVAL;
    sfd_place_rule_init(&rule);
    const int result = sfd_socket_directory_choose(&rule, bytes, places, &count);
    /* The last one is it if its error is 0. */
    return count == 0 ? result : (jint)count;
}

static jint make(JNIEnv *env, jclass self, jobject name, jint uid, jint gid, jobject out)
{
    const char *const bytes = (*env)->GetDirectBufferAddress(env, name);
    struct sfd_place *const places = places_in(env, out);
    struct sfd_place_rule rule;

    (void)self;
    if (bytes == NULL || places == NULL) return -EINVAL;
    sfd_place_rule_init(&rule);
    return sfd_socket_directory_make(&rule, bytes, (uid_t)uid, (gid_t)gid, places);
}

jint sfd_jni_register_places(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("find0", "(Ljava/nio/ByteBuffer;Ljava/nio/ByteBuffer;)I", find),
        SFD_JNI_METHOD("connect0", "(ILjava/nio/ByteBuffer;Ljava/nio/ByteBuffer;)I", connect_place),
        SFD_JNI_METHOD("choose0", "(Ljava/nio/ByteBuffer;Ljava/nio/ByteBuffer;)I", choose),
        SFD_JNI_METHOD("make0", "(Ljava/nio/ByteBuffer;IILjava/nio/ByteBuffer;)I", make),
    };

    return sfd_jni_register(env, package, "PlacesNative", methods, SFD_JNI_COUNT(methods));
}
