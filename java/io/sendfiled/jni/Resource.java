package io.sendfiled.jni;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/** What lies beside these classes. Stateless, any thread; reads the jar. */
final class Resource {
    private Resource() {}

    /**
     * Opens one; null if it is missing. Looks into the jar or directory of this class itself: through the class loader it
     * takes JDK 25 a third of the start of a JVM, and fails below a directory whose name ends with {@code !}. Other places
     * of classes, as frameworks have them, are left to their class loaders.
     *
     * @param name as {@link Class#getResource} takes it
     */
    static @Nullable InputStream open(String name) throws IOException {
        String entry = name.startsWith("/") ? name.substring(1) : directory() + name;
        Path place = place();
        InputStream found = place == null ? null : open(place, entry);
        return found == null ? Resource.class.getResourceAsStream(name) : found;
    }

    private static @Nullable InputStream open(Path place, String entry) {
        try {
            if (Files.isDirectory(place)) {
                return Files.newInputStream(place.resolve(entry));
            }
            try (ZipFile jar = new ZipFile(place.toFile())) { // which the JDK has open as well, and so shares
                ZipEntry found = jar.getEntry(entry);
                return found == null
                        ? null
                        : new ByteArrayInputStream(jar.getInputStream(found).readAllBytes());
            }
        } catch (IOException e) {
            return null; // the class loader knows better, or why not
        }
    }

    private static String directory() {
        return Resource.class.getPackageName().replace('.', '/') + "/";
    }

    /** The file that this class is from; null if it is from none. */
    private static @Nullable Path place() {
        CodeSource source = Resource.class.getProtectionDomain().getCodeSource();
        URL location = source == null ? null : source.getLocation();
        try {
            return location == null || !location.getProtocol().equals("file") ? null : Path.of(location.toURI());
        } catch (URISyntaxException | IllegalArgumentException e) {
            return null; // a loader's own idea of a URL
        }
    }
}
