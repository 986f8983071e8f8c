package io.sendfiled.jni;

import java.net.URL;
import java.net.URLClassLoader;
import org.jspecify.annotations.Nullable;

/**
 * Run in a JVM of its own by {@link NativeLibraryTest}: prints "available", or why the library is not. With arguments a line
 * for each, of classes that are loaded anew with that {@code java.io.tmpdir}.
 */
final class LibraryProbe {
    private LibraryProbe() {}

    public static void main(String[] args) throws ReflectiveOperationException {
        if (args.length == 0) {
            System.out.print(answer(NativeLibrary.unavailabilityCause()));
        }
        URL classes = NativeLibrary.class.getProtectionDomain().getCodeSource().getLocation();
        for (String temporary : args) {
            System.setProperty("java.io.tmpdir", temporary);
            // Not closed: what it has loaded stays usable to the end.
            ClassLoader loader = new URLClassLoader(new URL[] {classes}, ClassLoader.getPlatformClassLoader());
            Class<?> library = loader.loadClass(NativeLibrary.class.getName());
            System.out.println(
                    answer((Throwable) library.getMethod("unavailabilityCause").invoke(null)));
        }
    }

    private static String answer(@Nullable Throwable cause) {
        return cause == null ? "available" : cause.toString();
    }
}
