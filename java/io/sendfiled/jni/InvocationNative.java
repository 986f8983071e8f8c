package io.sendfiled.jni;

import org.jspecify.annotations.Nullable;

/**
 * What this process was started with, as the kernel and the C library have it: bytes. Any thread; nothing blocks. Another
 * thread must not change the environment meanwhile, which Java code cannot.
 */
public final class InvocationNative {
    private InvocationNative() {}

    /** The arguments, with the program's and the JVM's own in front; none where the C library does not tell them. */
    public static native byte[][] arguments();

    /**
     * A variable's value, or null.
     *
     * @param name its name, in ASCII
     */
    public static native byte @Nullable [] environment(String name);

    /** The absolute name of the working directory; null if it has none, or one above PATH_MAX. */
    public static native byte @Nullable [] workingDirectory();
}
