package io.sendfiled.technique;

import io.sendfiled.jni.TechniquesNative;
import io.sendfiled.sys.Errno;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The techniques that the kernel of this machine supports, for programs that embed the engine and for clients. A daemon
 * on the same machine has the same ones, unless a sandbox forbids it, or this program, a system call. Thread-safe.
 *
 * <p>The first call tries each technique on a few bytes in memory, and the answer is kept. Nothing blocks.
 */
public final class Techniques {
    private static final int[] DEVICES = {
        TechniquesNative.DEVICE_NULL, TechniquesNative.DEVICE_FULL, TechniquesNative.DEVICE_TERMINAL
    };

    /** The kernel's answers; a class of its own, so that the kernel is asked once, at the first use. */
    private static final class Probe {
        static final int[] ERRORS = TechniquesNative.probe(); // 0 or -errno
        static final int AVAILABLE = mask();

        private static int mask() {
            int mask = 0;
            for (Technique technique : Technique.values()) {
                if (technique != Technique.AUTO && ERRORS[technique.code()] == 0) {
                    mask |= 1 << technique.code();
                }
            }
            return mask;
        }
    }

    private Techniques() {}

    /**
     * The techniques of this kernel; without {@link Technique#AUTO}, which is no technique, but can always be asked
     * for.
     */
    public static Set<Technique> available() {
        return Technique.setOf(Probe.AVAILABLE);
    }

    /** Why this kernel lacks a technique, such as {@code "function not implemented (ENOSYS)"}; null if it has it. */
    public static @Nullable String whyMissing(Technique technique) {
        int errno = -Probe.ERRORS[technique.code()];
        return errno == 0 ? null : Errno.describe(errno);
    }

    /**
     * The techniques of this kernel that fit a destination. For {@link DestinationType#DEVICE}, those that fit any device;
     * {@code /dev/null} accepts more than a terminal. A file that is open with {@code O_APPEND} takes less than others.
     *
     * @param blocking whether its description is without {@code O_NONBLOCK}; to files and devices it does not matter
     */
    public static Set<Technique> fitting(DestinationType type, boolean blocking) {
        int mask = Probe.AVAILABLE;
        if (type == DestinationType.DEVICE) {
            for (int device : DEVICES) {
                mask &= TechniquesNative.fits(type.code(), device, !blocking);
            }
        } else {
            mask &= TechniquesNative.fits(type.code(), 0, !blocking);
        }
        return Technique.setOf(mask);
    }
}
