package io.sendfiled.system.process;

import io.sendfiled.Sendfiled;
import java.lang.ref.WeakReference;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/**
 * A program like an application server: deploys an engine, each time under a class loader of its own, which is collected
 * after that. Arguments: how often, a directory, and whether it closes them. Prints how many more signals have a handler in
 * the end than before, and {@code alive} after each of the real-time signals that it has sent itself.
 */
final class Redeployments {
    private static final int OURS_FIRST = 36;
    private static final int OURS_END = 62;

    private Redeployments() {}

    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[1]);
        Path root = Files.createDirectories(directory.resolve("root"));
        int before = 0;
        for (int i = 0; i <= Integer.parseInt(arguments[0]); i++) {
            WeakReference<ClassLoader> loader = deploy(directory, root);
            while (loader.get() != null) {
                System.gc();
                Thread.onSpinWait();
            }
            if (i == 0) { // what the JVM itself installs late is there now
                before = handlers();
            }
        }
        System.out.println(handlers() - before + " more, " + realTimeHandlers() + " real-time");
        for (int signal = OURS_FIRST; signal < OURS_END; signal++) {
            if (isHandledOrIgnored(signal)) {
                long pid = ProcessHandle.current().pid();
                new ProcessBuilder("/bin/sh", "-c", "kill -" + signal + " " + pid)
                        .start()
                        .waitFor();
                System.out.println("alive");
            }
        }
    }

    private static WeakReference<ClassLoader> deploy(Path directory, Path root) throws Exception {
        URL classes = Objects.requireNonNull(Sendfiled.class.getResource("Sendfiled.class"));
        URL base = new URL(classes.toString().replace("io/sendfiled/Sendfiled.class", ""));
        URLClassLoader loader = new URLClassLoader(new URL[] {base}, ClassLoader.getPlatformClassLoader());
        Class<?> configClass = loader.loadClass("io.sendfiled.config.SendfiledConfig");
        Object builder = configClass.getMethod("builder").invoke(null);
        Class<?> builderClass = builder.getClass();
        builderClass.getMethod("root", Path.class).invoke(builder, root);
        builderClass.getMethod("socketDirectory", Path.class).invoke(builder, directory);
        Object config = builderClass.getMethod("build").invoke(builder);
        Class<?> engineClass = loader.loadClass("io.sendfiled.Sendfiled");
        Method launch = engineClass.getMethod("launch", configClass);
        AutoCloseable engine = (AutoCloseable) launch.invoke(null, config);
        try {
            if (realTimeHandlers() == 0) {
                throw new AssertionError("a running engine has no signal to interrupt calls with");
            }
        } finally {
            engine.close();
        }
        loader.close();
        return new WeakReference<>(loader);
    }

    private static long mask(String name) throws Exception {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith(name)) {
                return Long.parseUnsignedLong(line.substring(name.length()).strip(), 16);
            }
        }
        throw new AssertionError("no " + name);
    }

    private static int handlers() throws Exception {
        return Long.bitCount(mask("SigCgt:"));
    }

    /** But those of the C library, the first two, and of the JVM, the last ones. */
    private static int realTimeHandlers() throws Exception {
        return Long.bitCount(mask("SigCgt:") >>> (OURS_FIRST - 1) & (1L << (OURS_END - OURS_FIRST)) - 1);
    }

    private static boolean isHandledOrIgnored(int signal) throws Exception {
        return ((mask("SigCgt:") | mask("SigIgn:")) >>> (signal - 1) & 1) != 0;
    }
}
