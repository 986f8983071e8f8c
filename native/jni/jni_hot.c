/*
 * Natives of io.sendfiled.jni.HotNative: the hot path, for Java objects that keep what is open in numbers.
 *
 * A root is a struct sfd_hot_shared, whose address Java keeps; a file is its descriptor, its size and the use of the
 * root that it holds. Thread: any, for a file one at a time. Only openRoot and closeRoot block.
 */
#include "jni_util.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "hot/hot_shared.h"

static struct sfd_hot_shared *root_of(jlong root)
{
    return (struct sfd_hot_shared *)(intptr_t)root;
}

/* Takes the bytes of a path, without NUL, into `out` of PATH_MAX bytes. 0 or -errno. */
static int take_path(JNIEnv *env, jbyteArray path, char *out)
{
    const jsize length = (*env)->GetArrayLength(env, path);

    if (length >= PATH_MAX) return -ENAMETOOLONG;
    (*env)->GetByteArrayRegion(env, path, 0, length, (jbyte *)out);
    out[length] = '\0';
    return strlen(out) == (size_t)length ? 0 : -EINVAL;
}

static jlong open_root(JNIEnv *env, jclass self, jbyteArray path, jint cache_entries, jlong cache_age_ns,
                       jboolean cache_looks)
{
    const struct sfd_hot_settings options = {
        .sigpipe_is_harmless = true, /* the JVM handles it, because the JDK's own writes to sockets raise it */
        .cache_entries = (size_t)cache_entries,
        .cache_age_ns = (uint64_t)cache_age_ns,
        .cache_looks = cache_looks,
    };
    struct sfd_hot_shared *root = NULL;
    char name[PATH_MAX];

    (void)self;
    int result = take_path(env, path, name);
    if (result == 0) result = sfd_hot_shared_create(name, &options, &root);
    return result < 0 ? result : (jlong)(intptr_t)root;
}

static void close_root(JNIEnv *env, jclass self, jlong root)
{
    (void)env;
    (void)self;
    sfd_hot_shared_close(root_of(root));
}

static void free_root(JNIEnv *env, jclass self, jlong root)
{
    (void)env;
    (void)self;
    sfd_hot_shared_free(root_of(root));
}

static jlong sweep(JNIEnv *env, jclass self, jlong root)
{
    struct sfd_hot_shared *const shared = root_of(root);
    struct sfd_hot_cache *const cache = &shared->hot.cache;

    (void)env;
    (void)self;
    const int hold = sfd_hot_shared_hold(shared);
    if (hold < 0) return hold;
    sfd_hot_cache_sweep(cache, shared->hot.kernel.sys->now_ns());
    const uint64_t in_ns = sfd_hot_cache_sweep_in(cache);
    sfd_hot_shared_release(shared, hold);
    return (jlong)in_ns;
}

/* Gives a file that was opened, and the use of its root, to Java; or ends that use. */
static jint give(JNIEnv *env, struct sfd_hot_shared *root, int hold, int result, const struct sfd_hot_source *file,
                 jlongArray out)
{
    if (result < 0) {
        sfd_hot_shared_release(root, hold);
        return result;
    }
    const jlong numbers[SFD_JNI_HOT_NUMBERS] = {
        [SFD_JNI_HOT_FD] = file->fd,
        [SFD_JNI_HOT_ENTRY] = (jlong)(intptr_t)file->entry,
        [SFD_JNI_HOT_HOLD] = hold,
        [SFD_JNI_HOT_SIZE] = (jlong)file->size,
        [SFD_JNI_HOT_MODIFIED] = file->mtime_ns,
        [SFD_JNI_HOT_INODE] = (jlong)file->inode,
        [SFD_JNI_HOT_DEVICE] = (jlong)file->dev,
        [SFD_JNI_HOT_ACCESSED] = file->atime_ns,
        [SFD_JNI_HOT_CHANGED] = file->ctime_ns,
        [SFD_JNI_HOT_MODE] = file->mode,
    };
    (*env)->SetLongArrayRegion(env, out, 0, SFD_JNI_HOT_NUMBERS, numbers);
    return 0;
}

static jint open_file(JNIEnv *env, jclass self, jlong root, jbyteArray path, jlongArray out)
{
    struct sfd_hot_shared *const shared = root_of(root);
    struct sfd_hot_source file;
    char name[PATH_MAX];

    (void)self;
    int result = take_path(env, path, name);
    if (result < 0) return result;
    const int hold = sfd_hot_shared_hold(shared);
    if (hold < 0) return hold;
    result = sfd_hot_source_open(&shared->hot, name, &file);
    return give(env, shared, hold, result, &file, out);
}

static jint adopt(JNIEnv *env, jclass self, jlong root, jint fd, jlongArray out)
{
    struct sfd_hot_shared *const shared = root_of(root);
    struct sfd_hot_source file;

    (void)self;
    const int hold = sfd_hot_shared_hold(shared);
    if (hold < 0) return hold;
    return give(env, shared, hold, sfd_hot_source_adopt(&shared->hot, fd, &file), &file, out);
}

static struct sfd_hot_source file_of(jlong root, jint fd, jlong size)
{
    return (struct sfd_hot_source){.hot = &root_of(root)->hot, .fd = fd, .size = (uint64_t)size};
}

static void close_file(JNIEnv *env, jclass self, jlong root, jint fd, jlong entry, jlong size, jint hold)
{
    struct sfd_hot_source file = file_of(root, fd, size);

    (void)env;
    (void)self;
    file.entry = (struct sfd_hot_entry *)(intptr_t)entry;
    sfd_hot_source_close(&file);
    sfd_hot_shared_release(root_of(root), hold);
}

static jint read_file(JNIEnv *env, jclass self, jlong root, jint fd, jlong address, jint capacity, jlong offset)
{
    struct sfd_hot_source file = file_of(root, fd, 0);

    (void)env;
    (void)self;
    return (jint)sfd_hot_source_read(&file, (void *)(intptr_t)address, (size_t)capacity, (uint64_t)offset);
}

static jint read_buffer(JNIEnv *env, jclass self, jlong root, jint fd, jobject buffer, jint position, jint capacity,
                        jlong offset)
{
    char *const bytes = (*env)->GetDirectBufferAddress(env, buffer);

    if (bytes == NULL) return -EFAULT;
    return read_file(env, self, root, fd, (jlong)(intptr_t)(bytes + position), capacity, offset);
}

static jint send_file(JNIEnv *env, jclass self, jlong root, jint fd, jlong size, jint dest, jboolean tcp, jlong head,
                      jint head_length, jlong offset, jlong length, jlongArray moved)
{
    const struct sfd_fd_info known = {
        .kind = SFD_FD_TCP,
        .readable = true,
        .writable = true,
        .asked = true,
        .nonblock = true,
    };
    struct sfd_hot_source file = file_of(root, fd, size);
    const struct sfd_hot_sent sent = sfd_hot_source_send(&file, dest, tcp ? &known : NULL, (const void *)(intptr_t)head,
                                                         (size_t)head_length, (uint64_t)offset, (uint64_t)length);
    const jlong counts[] = {(jlong)sent.head_moved, (jlong)sent.moved};

    (void)self;
    (*env)->SetLongArrayRegion(env, moved, 0, SFD_JNI_COUNT(counts), counts);
    return sent.step == SFD_HOT_STEP_FAILED ? sent.error : (jint)sent.step;
}

jint sfd_jni_register_hot(JNIEnv *env, const char *package)
{
    static const JNINativeMethod methods[] = {
        SFD_JNI_METHOD("openRoot0", "([BIJZ)J", open_root),
        SFD_JNI_METHOD("closeRoot", "(J)V", close_root),
        SFD_JNI_METHOD("freeRoot", "(J)V", free_root),
        SFD_JNI_METHOD("sweep", "(J)J", sweep),
        SFD_JNI_METHOD("open", "(J[B[J)I", open_file),
        SFD_JNI_METHOD("adopt", "(JI[J)I", adopt),
        SFD_JNI_METHOD("close", "(JIJJI)V", close_file),
        SFD_JNI_METHOD("read", "(JIJIJ)I", read_file),
        SFD_JNI_METHOD("readBuffer", "(JILjava/nio/ByteBuffer;IIJ)I", read_buffer),
        SFD_JNI_METHOD("send", "(JIJIZJIJJ[J)I", send_file),
    };

    return sfd_jni_register(env, package, "HotNative", methods, SFD_JNI_COUNT(methods));
}
