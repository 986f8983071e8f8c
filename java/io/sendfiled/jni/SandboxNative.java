package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The sandbox of the daemon's process. Each method gives a value from 0 up, or a negated errno, and is described in
 * native/core/process/sandbox.h. Nothing can be undone.
 *
 * <p>For the program's main thread, before the engine has its socket; {@link #filterAtWork} right after.
 */
public final class SandboxNative {
    /** Files may be opened for reading. */
    public static final int READ = 1;

    /** Directories may be read. */
    public static final int LIST = 2;

    /** What exists may be opened for writing. */
    public static final int WRITE = 4;

    /** Regular files and sockets may be made, truncated and removed. */
    public static final int MAKE = 8;

    /** Regular files may be made. */
    public static final int ADD = 16;

    static {
        NativeLibrary.ensureAvailable();
    }

    private SandboxNative() {}

    /**
     * What may be done at a file, or beneath a directory.
     *
     * @param path the bytes of its name
     * @param access a sum of {@link #READ}, {@link #LIST}, {@link #WRITE}, {@link #MAKE} and {@link #ADD}
     */
    @SuppressWarnings("ArrayRecordComponent") // only ever read here
    public record Rule(byte[] path, int access) {}

    /**
     * The version of Landlock's interface, from 1; negative when this kernel has none, or was started without, or when one
     * of its calls is refused.
     */
    public static native int landlock();

    /** The call for which {@link #landlock} is negative; null when it is not. */
    public static native @Nullable String landlockLacks();

    /** 0 when this machine can filter system calls. */
    public static native int seccomp();

    /** Leaves all threads of this process, and those they start, only the files that the rules allow. */
    public static int confine(List<Rule> rules) {
        int size = 1;
        for (Rule rule : rules) {
            size += rule.path().length + 2;
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect(size);
        for (Rule rule : rules) {
            buffer.put((byte) rule.access()).put(rule.path()).put((byte) 0);
        }
        return confine0(buffer, rules.size());
    }

    /** Leaves all threads of this process, and those they start, only the system calls that the daemon makes. */
    public static native int filter();

    /** Takes away what only the start of the engine needs: sockets, connections, modes of files. */
    public static native int filterAtWork();

    private static native int confine0(ByteBuffer buffer, int count);
}
