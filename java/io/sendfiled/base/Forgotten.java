package io.sendfiled.base;

import java.lang.ref.Cleaner;
import org.jspecify.annotations.Nullable;

/**
 * Frees what its owner has forgotten to close, when the garbage collector finds it.
 *
 * <p>Owns one thread for the whole process. It starts with the first object that is watched and not with a class: an error in
 * a static initializer, such as "no thread", would make the class unusable for ever.
 */
public final class Forgotten {
    private static @Nullable Cleaner cleaner; // under the class's lock

    private Forgotten() {}

    /**
     * Runs an action once: when the object is unreachable, or at {@link Cleaner.Cleanable#clean}.
     *
     * @param action must not reach the object; shares a thread with all others, so it does not wait
     * @throws OutOfMemoryError if there is no memory, or the thread cannot be started; nothing has changed then
     */
    public static Cleaner.Cleanable watch(Object object, Runnable action) {
        return cleaner().register(object, action);
    }

    private static synchronized Cleaner cleaner() {
        if (cleaner == null) {
            cleaner = Cleaner.create();
        }
        return cleaner;
    }
}
