package io.sendfiled.names;

import io.sendfiled.jni.InvocationNative;
import io.sendfiled.jni.NativeLibrary;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What this process was started with, byte by byte: arguments, environment, working directory. The JVM has decoded them
 * in the encoding of the locale, where other bytes are lost. What is ASCII there is the same in every encoding; only for
 * the rest the native library is asked.
 *
 * <p>Any thread; nothing blocks.
 */
public final class Invocation {
    /**
     * The system property with the working directory, in ASCII, where the launcher had to leave it for a JVM to start
     * at all: it was removed, or its name is too long.
     */
    static final String DIRECTORY_PROPERTY = "sendfiled.directory";

    private static volatile byte @Nullable [] workingDirectory;

    private Invocation() {}

    /**
     * The {@linkplain Names#text texts} of the program's arguments, by position.
     *
     * @param args the arguments of {@code main}; returned where the process shows others, as one does that has made a
     *     JVM by itself
     */
    public static String[] arguments(String[] args) {
        boolean ascii = true;
        for (String argument : args) {
            ascii &= Names.isAscii(argument);
        }
        if (ascii) {
            return args;
        }
        NativeLibrary.ensureAvailable();
        byte[][] raw = InvocationNative.arguments();
        int first = raw.length - args.length; // behind the JVM's own
        if (first < 0) {
            return args;
        }
        String[] texts = new String[args.length];
        for (int i = 0; i < args.length; i++) {
            texts[i] = Names.text(raw[first + i]);
            if (Names.isAscii(texts[i]) ? !texts[i].equals(args[i]) : Names.isAscii(args[i])) {
                return args;
            }
        }
        return texts;
    }

    /** The environment, with the {@linkplain Names#text text} of each value. */
    public static Map<String, String> environment() {
        Map<String, String> all = new HashMap<>();
        for (String name : System.getenv().keySet()) {
            String value = environment(name);
            if (value != null) { // it is, where the name itself is not text
                all.put(name, value);
            }
        }
        return all;
    }

    /** The {@linkplain Names#text text} of a variable of the environment; null if it is not set. */
    public static @Nullable String environment(String name) {
        String value = System.getenv(name);
        if (value == null || Names.isAscii(value)) {
            return value;
        }
        NativeLibrary.ensureAvailable();
        byte[] raw = InvocationNative.environment(name);
        return raw == null ? null : Names.text(raw);
    }

    /** Whether the JVM gives relative names to the kernel as they are: it is, and knows, where it was started. */
    static boolean isInWorkingDirectory() {
        return System.getProperty(DIRECTORY_PROPERTY) == null && Names.isAscii(System.getProperty("user.dir", "/"));
    }

    /** The absolute name of the working directory that the process had when it was first asked for. */
    static byte[] workingDirectory() {
        byte[] known = workingDirectory;
        if (known == null) { // a daemon leaves it for "/" once it serves
            known = findWorkingDirectory();
            workingDirectory = known;
        }
        return known.clone();
    }

    private static byte[] findWorkingDirectory() {
        String directory = System.getProperty(DIRECTORY_PROPERTY, System.getProperty("user.dir", "/"));
        if (Names.isAscii(directory)) {
            return Names.bytes(directory);
        }
        NativeLibrary.ensureAvailable();
        byte[] raw = InvocationNative.workingDirectory();
        return raw == null ? Names.bytes(directory) : raw;
    }
}
