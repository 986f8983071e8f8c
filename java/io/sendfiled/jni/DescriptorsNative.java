package io.sendfiled.jni;

/**
 * The natives behind {@code io.sendfiled.sys.Descriptors}: reads fields of JDK objects, and calls {@code fcntl(2)}.
 * Thread-safe; only {@link #close} and {@link #identity} can block. Results are 0 or more, or {@code -errno}.
 *
 * <p>The caller ensures that the {@linkplain NativeLibrary#ensureAvailable library} is loaded. No static initializer
 * does: loading the library initializes this class, and two threads that begin at different ends would wait for each
 * other.
 */
public final class DescriptorsNative {
    private DescriptorsNative() {}

    /**
     * Finds a field, whatever its access is.
     *
     * @param signature its type, as JNI writes it
     * @return for the other methods, valid for as long as the class lives; 0 when there is no such field
     */
    public static native long fieldId(Class<?> type, String name, String signature);

    /** The value of a field of type {@code int}. */
    public static native int intField(Object object, long fieldId);

    /** Sets a field of type {@code int}. */
    public static native void setIntField(Object object, long fieldId, int value);

    /** The value of a field that holds an object. */
    public static native Object objectField(Object object, long fieldId);

    /** A duplicate with {@code FD_CLOEXEC}. */
    public static native int duplicate(int fd);

    /** Sets {@code FD_CLOEXEC}. */
    public static native int setCloseOnExec(int fd);

    /** Closes a descriptor; the number is free also when the result is an error. */
    public static native int close(int fd);

    /**
     * Tells which file it is, as {@code fstat(2)}: two descriptors with the same first two numbers are of one file. Blocks
     * as the file system does.
     *
     * @param out gets the device ({@code unix:dev}), the inode ({@code unix:ino}), and the mode with the type
     * @return 0, or -errno: EBADF
     */
    public static native int identity(int fd, long[] out);

    /** Whether it is a terminal; false when it is not open. */
    public static native boolean isTerminal(int fd);

    /** A terminal's columns; 0 when it does not know them, and for what is no terminal. */
    public static native int terminalWidth(int fd);

    /** 1 when {@code O_NONBLOCK} is set, 0 when not, or -errno. */
    public static native int isNonBlocking(int fd);
}
