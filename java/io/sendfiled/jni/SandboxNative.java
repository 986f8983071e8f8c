package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
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

    static {
        NativeLibrary.ensureAvailable();
    }

    private SandboxNative() {}

    /**
     * What may be done at a file, or beneath a directory.
     *
     * @param access a sum of {@link #READ}, {@link #LIST}, {@link #WRITE} and {@link #MAKE}
     */
    public record Rule(Path path, int access) {}

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
        byte[][] paths = new byte[rules.size()][];
        int size = 1;
        for (int i = 0; i < paths.length; i++) {
            paths[i] = rules.get(i).path().toString().getBytes(StandardCharsets.UTF_8);
            size += paths[i].length + 2;
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect(size);
        for (int i = 0; i < paths.length; i++) {
            buffer.put((byte) rules.get(i).access()).put(paths[i]).put((byte) 0);
        }
        return confine0(buffer, paths.length);
    }

    /** Leaves all threads of this process, and those they start, only the system calls that the daemon makes. */
    public static native int filter();

    /** Takes away what only the start of the engine needs: sockets, connections, modes of files. */
    public static native int filterAtWork();

    private static native int confine0(ByteBuffer buffer, int count);
}
