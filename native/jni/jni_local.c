/*
 * More natives of io.sendfiled.jni.EngineNative: requests of this process, which come by no socket, and their roots.
 *
 * Handles are pointers; their validity is the Java class's business. Results are values or -errno. Thread: any.
 */
#include "jni_util.h"

#include <errno.h>
#include <stdint.h>

#include "engine.h"
#include "loop/local_request.h"

static void *pointer(jlong handle)
{
    return (void *)(uintptr_t)handle;
}

/* As many bytes of an array as a buffer has room for; how many the array has, 0 of NULL. */
static size_t copy(JNIEnv *env, jbyteArray array, char *buffer, size_t room)
{
    const size_t length = array == NULL ? 0 : (size_t)(*env)->GetArrayLength(env, array);

    if (length > 0) (*env)->GetByteArrayRegion(env, array, 0, (jsize)(length < room ? length : room), (jbyte *)buffer);
    return length;
}

/* A number of one byte; of one that does not fit, a number that no command, technique or set of flags has. */
static uint8_t byte_of(jint number)
{
    return number == (uint8_t)number ? (uint8_t)number : UINT8_MAX;
}

static jlong add_root(JNIEnv *env, jclass class, jlong engine, jbyteArray path, jboolean follow)
{
    char bytes[SFD_WIRE_MAX_PATH + 1];
    struct sfd_root *root = NULL;
    const size_t length = copy(env, path, bytes, sizeof(bytes));

    (void)class;
    if (length >= sizeof(bytes)) return -ENAMETOOLONG;
    bytes[length] = '\0';
    const int result = sfd_engine_add_root(pointer(engine), bytes, follow == JNI_TRUE, &root);
    return result < 0 ? result : (jlong)(uintptr_t)root;
}

static void remove_root(JNIEnv *env, jclass class, jlong engine, jlong root)
{
    (void)env;
    (void)class;
    sfd_engine_remove_root(pointer(engine), pointer(root));
}

static jlong submit(JNIEnv *env, jclass class, jlong engine, jlong ticket, jlong owner, jint command, jlong root,
                    jbyteArray path, jint destination, jint source, jlong offset, jlong length, jbyteArray segments,
                    jint segment_count, jint technique, jint flags, jlong rate, jint idle_ms, jint deadline_ms,
                    jint content_most)
{
    char path_bytes[SFD_WIRE_MAX_PATH];
    char segment_bytes[SFD_WIRE_MAX_PATH];
    struct sfd_local_request *request = NULL;
    /* Of an array that has no room only the length counts: it is refused for that. */
    const struct sfd_local_order order = {
        .ticket = (uint64_t)ticket,
        .owner = (uint64_t)owner,
        .command = byte_of(command),
        .root = pointer(root),
        .path = path == NULL ? NULL : path_bytes,
        .path_length = copy(env, path, path_bytes, sizeof(path_bytes)),
        .dest = destination,
        .source = source,
        .offset = offset,
        .length = (uint64_t)length,
        .segments = segment_bytes,
        .segments_size = copy(env, segments, segment_bytes, sizeof(segment_bytes)),
        .segment_count = (unsigned)segment_count,
        .options =
            {
                .rate = (uint64_t)rate,
                .idle_ms = (uint32_t)idle_ms,
                .deadline_ms = (uint32_t)deadline_ms,
                .technique = byte_of(technique),
                .flags = byte_of(flags),
            },
        .content_most = (uint32_t)content_most,
    };

    (void)class;
    const int result = sfd_local_submit(&((struct sfd_engine *)pointer(engine))->shared, &order, &request);
    return result < 0 ? result : (jlong)(uintptr_t)request;
}

static void send_opened(JNIEnv *env, jclass class, jlong request, jint destination)
{
    (void)env;
    (void)class;
    sfd_local_send_opened(pointer(request), destination);
}

static void cancel(JNIEnv *env, jclass class, jlong request)
{
    (void)env;
    (void)class;
    sfd_local_cancel(pointer(request));
}

static void release(JNIEnv *env, jclass class, jlong request)
{
    (void)env;
    (void)class;
    sfd_local_release(pointer(request));
}

jint sfd_jni_register_local(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("addRoot", "(J[BZ)J", add_root),
        SFD_JNI_METHOD("removeRoot", "(JJ)V", remove_root),
        SFD_JNI_METHOD("submit", "(JJJIJ[BIIJJ[BIIIJIII)J", submit),
        SFD_JNI_METHOD("sendOpened", "(JI)V", send_opened),
        SFD_JNI_METHOD("cancel", "(J)V", cancel),
        SFD_JNI_METHOD("release", "(J)V", release),
    };

    return sfd_jni_register(env, package, "EngineNative", methods, SFD_JNI_COUNT(methods));
}
