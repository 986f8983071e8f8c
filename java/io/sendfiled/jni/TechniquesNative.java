package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The engine's table of techniques, without an engine: which ones this kernel has, and which ones fit what. Techniques
 * and types are numbers here, those of native/core/protocol/technique.h and sys/fd.h. Thread-safe; nothing blocks.
 */
public final class TechniquesNative {
    /** How many techniques there are, {@code auto} (0) among them. */
    public static final int COUNT = 6;

    /** {@code /dev/null}, {@code /dev/zero}. */
    public static final int DEVICE_NULL = 1;

    /** {@code /dev/full}. */
    public static final int DEVICE_FULL = 2;

    /** A terminal. */
    public static final int DEVICE_TERMINAL = 3;

    /* Of kernel(). */
    public static final int RESOLVE_CACHED = 1;
    public static final int CACHESTAT = 2;
    public static final int PIDFDS = 4;
    public static final int PIDFS = 8;
    public static final int PIPE_NOWAIT = 16;

    static {
        NativeLibrary.ensureAvailable();
    }

    private TechniquesNative() {}

    /**
     * Tries every technique on memory files and a pipe: for each, by its number, 0 or the negated errno for which this
     * kernel lacks it (EPERM and ENOSYS where a sandbox refuses the call).
     */
    public static int[] probe() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(COUNT * Integer.BYTES).order(ByteOrder.nativeOrder());
        probe0(buffer);
        int[] errors = new int[COUNT];
        buffer.asIntBuffer().get(errors);
        return errors;
    }

    /**
     * What fits a destination: a mask with bit {@code 1 << technique} for each, 0 when it can be none.
     *
     * @param kind the number of {@code enum sfd_fd_kind} (1 pipe, 2 TCP, 3 UNIX, 4 file, 5 device)
     * @param device which device of kind 5: one of the constants above; else 0
     * @param nonblocking whether the destination's description has {@code O_NONBLOCK}
     */
    public static native int fits(int kind, int device, boolean nonblocking);

    /** What else this kernel can do that an engine uses where it is: a set of the constants above. */
    public static native int kernel();

    private static native void probe0(ByteBuffer buffer);
}
