package io.sendfiled.jni;

/** Run in a JVM of its own by {@link NativeLibraryTest}: prints "available", or why the library is not. */
final class LibraryProbe {
    private LibraryProbe() {}

    public static void main(String[] args) {
        Throwable cause = NativeLibrary.unavailabilityCause();
        System.out.print(cause == null ? "available" : cause.toString());
    }
}
