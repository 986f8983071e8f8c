package io.sendfiled.jni;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Loads {@code libsendfiled-jni.so}, once a JVM, on the first use of {@link #isAvailable()} or {@link #ensureAvailable()}.
 *
 * <p>Looks, in this order, in the directory of the system property {@value #PATH_PROPERTY}, in {@code java.library.path},
 * and in the jar, whose copy is unpacked into a fresh directory that only its owner can enter. Never in the home or the
 * working directory. A library of another version than these classes is refused. Any thread.
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
            UnsatisfiedLinkError error =
                    new UnsatisfiedLinkError("sendfiled's native library is not available: " + reason);
            error.initCause(cause);
            throw error;
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

    /** The architecture's name as the jar has it: {@code x86_64} or {@code aarch64}. */
    static String architecture() {
        String arch = System.getProperty("os.arch", "unknown").toLowerCase(Locale.ROOT);
        return arch.equals("amd64") ? "x86_64" : arch;
    }

    private static @Nullable Throwable attempt() {
        try {
            load();
            String expected = version();
            String actual = version0();
            if (!expected.equals(actual)) {
                return new UnsatisfiedLinkError(
                        FILE + " is of version " + actual + ", but the classes are of version " + expected);
            }
            checkConstants();
            return null;
        } catch (IllegalCallerException e) {
            IllegalCallerException advice = new IllegalCallerException(
                    "native access is not allowed: start java with --enable-native-access=" + moduleName());
            advice.initCause(e);
            return advice;
        } catch (IOException | LinkageError | RuntimeException e) {
            return e;
        }
    }

    /** What an equal version should promise and an incomplete build can break. */
    private static void checkConstants() {
        Turn.checkLayout();
        BufferNative.checkLayout();
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
    }

    private static String moduleName() {
        Module module = NativeLibrary.class.getModule();
        return module.isNamed() ? module.getName() : "ALL-UNNAMED";
    }

    private static void load() throws IOException {
        String explicit = System.getProperty(PATH_PROPERTY);
        if (explicit != null) {
            System.load(Path.of(explicit, FILE).toAbsolutePath().toString());
            return;
        }
        try {
            System.loadLibrary(NAME);
        } catch (UnsatisfiedLinkError e) {
            try {
                loadFromJar();
            } catch (IOException | LinkageError fromJar) {
                fromJar.addSuppressed(e);
                throw fromJar;
            }
        }
    }

    private static void loadFromJar() throws IOException {
        String resource = "/META-INF/native/linux-" + architecture() + "/" + FILE;
        try (InputStream in = Resource.open(resource)) {
            if (in == null) {
                throw new UnsatisfiedLinkError("this jar has no native library for "
                        + System.getProperty("os.name") + " on " + architecture() + " (" + resource + "), and "
                        + FILE + " is not in java.library.path (" + System.getProperty("java.library.path") + ")");
            }
            Path directory = Files.createTempDirectory(
                    "sendfiled-", PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            Path file = directory.resolve(FILE);
            try {
                Files.copy(in, file);
                System.load(file.toString());
            } finally {
                // A loaded library stays mapped without its file, so no file is left even after a SIGKILL.
                Files.deleteIfExists(file);
                Files.deleteIfExists(directory);
            }
        }
    }

    private static native String version0();
}
