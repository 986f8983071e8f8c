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

/* What each function gets from Java, and the rule of this process. */
struct query {
    const char *name;
    struct sfd_place *places;
    struct sfd_place_rule rule;
};

/* false: Java has not given what the function needs. */
static bool query_init(struct query *query, JNIEnv *env, jobject name, jobject out)
{
    query->name = (*env)->GetDirectBufferAddress(env, name);
    query->places = (*env)->GetDirectBufferAddress(env, out);
    if (query->name == NULL || query->places == NULL) return false;
    if ((*env)->GetDirectBufferCapacity(env, out) < (jlong)(SFD_PLACES_MAX * sizeof(struct sfd_place))) return false;
    sfd_place_rule_init(&query->rule);
    return true;
}

static jint find(JNIEnv *env, jclass self, jobject name, jobject out)
{
    struct query query;

    (void)self;
    if (!query_init(&query, env, name, out)) return -EINVAL;
    return sfd_places_find(&query.rule, query.name, query.places, SFD_PLACES_MAX);
}

static jint connect_place(JNIEnv *env, jclass self, jint socket, jobject name, jobject out)
{
    struct query query;

    (void)self;
    if (!query_init(&query, env, name, out)) return -EINVAL;
    return sfd_places_connect(&query.rule, socket, query.name, query.places);
}

static jint choose(JNIEnv *env, jclass self, jobject name, jobject out)
{
    struct query query;
    unsigned count;

    (void)self;
    if (!query_init(&query, env, name, out)) return -EINVAL;
    const int result = sfd_socket_directory_choose(&query.rule, query.name, query.places, &count);
    /* The last one is it if its error is 0. */
    return count == 0 ? result : (jint)count;
}

static jint make(JNIEnv *env, jclass self, jobject name, jint uid, jint gid, jobject out)
{
    struct query query;

    (void)self;
    if (!query_init(&query, env, name, out)) return -EINVAL;
    return sfd_socket_directory_make(&query.rule, query.name, (uid_t)uid, (gid_t)gid, query.places);
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
