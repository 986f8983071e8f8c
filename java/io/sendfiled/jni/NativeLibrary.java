package io.sendfiled.jni;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Loads {@code libsendfiled-jni.so}, once a JVM, on the first use of {@link #isAvailable()} or {@link #ensureAvailable()}.
 *
 * <p>Looks, in this order, in the directory of the system property {@value #PATH_PROPERTY}, in {@code java.library.path},
 * and in the jar ({@link LibraryInJar}). Never in the home or the working directory. A library of another version than
 * these classes is refused, and the jar's own is loaded in place of one in {@code java.library.path}. These classes may
 * have been given another package, by a relocation: the library asks for their names. Any thread.
 */
public final class NativeLibrary {
    /** A directory that holds the library; when set, no other place is looked at. */
    public static final String PATH_PROPERTY = "sendfiled.library.path";

    private static final String NAME = "sendfiled-jni";
    private static final String FILE = "libsendfiled-jni.so";

    private NativeLibrary() {}

    /** The first use of the holder loads the library: the JVM's class initialization is the lock. */
    private static final class Loaded {
        // Static on purpose: a JVM tries to load the library only once, and this is the cause of that.
        @SuppressWarnings("StaticAssignmentOfThrowable")
        static final @Nullable Throwable CAUSE = attempt();
    }

    /** Whether natives can be called. */
    public static boolean isAvailable() {
        return Loaded.CAUSE == null;
    }

    /** Why natives cannot be called; null when they can. */
    public static @Nullable Throwable unavailabilityCause() {
        return Loaded.CAUSE;
    }

    /**
     * Returns when natives can be called.
     *
     * @throws UnsatisfiedLinkError with the cause, when they cannot
     */
    public static void ensureAvailable() {
        Throwable cause = Loaded.CAUSE;
        if (cause != null) {
            String reason = cause.getMessage() == null ? cause.toString() : cause.getMessage();
            throw because("sendfiled's native library is not available: " + reason, cause);
        }
    }

    /** The version of these classes. */
    public static String version() {
        try (InputStream in = Resource.open("version.txt")) {
            if (in == null) {
                throw new IllegalStateException("version.txt is missing beside NativeLibrary.class");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).trim();
        } catch (IOException e) {
            throw new IllegalStateException("cannot read version.txt beside NativeLibrary.class", e);
        }
    }

    private static @Nullable Throwable attempt() {
        try {
            load();
            return null;
        } catch (IllegalCallerException e) {
            IllegalCallerException advice = new IllegalCallerException(
                    "native access is not allowed: start java with --enable-native-access=" + moduleName());
            advice.initCause(e);
            return advice;
        } catch (LinkageError | RuntimeException e) {
            return e;
        }
    }

    private static void load() {
        String explicit = System.getProperty(PATH_PROPERTY);
        if (explicit != null) {
            loadFrom(explicit);
            return;
        }
        try {
            System.loadLibrary(NAME);
            check();
        } catch (LinkageError installed) { // absent, or another version's
            try {
                LibraryInJar.load(FILE);
                check();
            } catch (LinkageError inJar) {
                inJar.addSuppressed(installed);
                throw inJar;
            }
        }
    }

    /** From the directory that was named, or not at all: what is there instead is not what was meant. */
    private static void loadFrom(String directory) {
        try {
            System.load(Path.of(directory, FILE).toAbsolutePath().toString());
            check();
        } catch (LinkageError | InvalidPathException e) {
            throw because(
                    "cannot load " + FILE + " from " + directory + ", where " + PATH_PROPERTY + " says that it is: " + e
                            + ". Without this property the jar's own is loaded",
                    e);
        }
    }

    /** That the library that is loaded belongs to these classes. If not, another one can take its place. */
    private static void check() {
        String expected = version();
        String actual = version0();
        if (!expected.equals(actual)) {
            throw new UnsatisfiedLinkError(
                    FILE + " is of version " + actual + ", but the classes are of version " + expected);
        }
        checkConstants();
    }

    static UnsatisfiedLinkError because(String message, Throwable cause) {
        UnsatisfiedLinkError error = new UnsatisfiedLinkError(message);
        error.initCause(cause);
        return error;
    }

    /** What an equal version should promise and an incomplete build can break. */
    private static void checkConstants() {
        Turn.checkLayout();
        Records.checkLayout();
        BufferNative.checkLayout();
        SessionNative.checkLayout();
        NativeConstants.check(
                "queue",
                Map.of(
                        "close", EngineNative.QUEUE_CLOSE,
                        "open", EngineNative.QUEUE_OPEN,
                        "linger", EngineNative.QUEUE_LINGER,
                        "count", EngineNative.QUEUES));
        NativeConstants.check(
                "device",
                Map.of(
                        "null", TechniquesNative.DEVICE_NULL,
                        "full", TechniquesNative.DEVICE_FULL,
                        "terminal", TechniquesNative.DEVICE_TERMINAL));
        NativeConstants.check("technique", Map.of("count", TechniquesNative.COUNT));
        NativeConstants.check("content", Map.of("most", EngineNative.MOST_CONTENT));
        HotNative.checkCodes();
        SessionNative.checkCodes();
    }

    private static String moduleName() {
        Module module = NativeLibrary.class.getModule();
        return module.isNamed() ? module.getName() : "ALL-UNNAMED";
    }

    private static native String version0();
}
