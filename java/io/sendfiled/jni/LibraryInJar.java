package io.sendfiled.jni;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * The native library that travels in the jar, one file for each architecture. It is unpacked into a fresh directory in
 * {@code java.io.tmpdir} that only its owner can enter, loaded, and removed again. What is wrong is an {@link
 * UnsatisfiedLinkError} that says where, why, and which property is the way out. Called once, by {@link NativeLibrary}.
 */
final class LibraryInJar {
    private static final String TEMPORARY = "java.io.tmpdir";
    private static final Path MAPPINGS = Path.of("/proc/self/maps");

    private LibraryInJar() {}

    /** Blocks for the disk. */
    static void load(String file) {
        String resource = "/META-INF/native/linux-" + architecture() + "/" + file;
        try (InputStream in = Resource.open(resource)) {
            if (in == null) {
                throw new UnsatisfiedLinkError("there is no native library for " + System.getProperty("os.name")
                        + " on " + architecture() + " in the jar (" + resource
                        + "), and none that fits in java.library.path ("
                        + System.getProperty("java.library.path") + "). Build one there, and name its directory by -D"
                        + NativeLibrary.PATH_PROPERTY);
            }
            refuseMusl(file);
            unpackAndLoad(in, file);
        } catch (IOException e) { // of the jar itself
            throw NativeLibrary.because("cannot read " + resource + ": " + e, e);
        }
    }

    /** Its name as the jar has it: {@code x86_64} or {@code aarch64}. */
    private static String architecture() {
        String arch = System.getProperty("os.arch", "unknown").toLowerCase(Locale.ROOT);
        return arch.equals("amd64") ? "x86_64" : arch;
    }

    /** What glibc and musl call by the same name is not the same; loading may succeed all the same. */
    private static void refuseMusl(String file) {
        try (Stream<String> mappings = Files.lines(MAPPINGS, StandardCharsets.ISO_8859_1)) {
            if (mappings.noneMatch(line -> line.contains("/ld-musl-"))) {
                return;
            }
        } catch (IOException | UncheckedIOException e) {
            return; // no /proc: loading tells
        }
        throw new UnsatisfiedLinkError("this JVM runs on musl, and the " + file
                + " in the jar needs glibc. Run a JVM that is"
                + " made for glibc, or build sendfiled on this system and name the directory of its " + file + " by -D"
                + NativeLibrary.PATH_PROPERTY);
    }

    private static void unpackAndLoad(InputStream in, String file) {
        String property = System.getProperty(TEMPORARY, "");
        String temporary = property.isEmpty() ? "/tmp" : property; // never the working directory
        try {
            Path directory = Files.createTempDirectory(
                    Path.of(temporary).toAbsolutePath(),
                    "sendfiled-",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            Path copy = directory.resolve(file);
            try {
                Files.copy(in, copy);
                System.load(copy.toString());
            } finally {
                // A loaded library stays mapped without its file, so no file is left even after a SIGKILL.
                Files.deleteIfExists(copy);
                Files.deleteIfExists(directory);
            }
        } catch (IOException | InvalidPathException | LinkageError e) {
            throw NativeLibrary.because(
                    "cannot load " + file + " from a copy in " + temporary + " (" + TEMPORARY + "): " + e + ". -D"
                            + TEMPORARY
                            + " has to name a directory with room for the copy, that can be written to and is not mounted"
                            + " noexec; or -D" + NativeLibrary.PATH_PROPERTY + " a directory with " + file
                            + ", which is in the jar in META-INF/native",
                    e);
        }
    }
}
