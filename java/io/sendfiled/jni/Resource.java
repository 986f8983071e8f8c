package io.sendfiled.jni;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import org.jspecify.annotations.Nullable;

/** What lies beside these classes. Stateless, any thread; reads the jar. */
final class Resource {
    private static final String INSIDE = "!/";

    private Resource() {}

    /**
     * Opens one; null if it is missing. Also where a directory above the jar has a name that ends with {@code !}: the
     * JDK takes the first {@code !/} of a jar's URL for the end of the jar's name.
     *
     * @param name as {@link Class#getResource} takes it
     */
    static @Nullable InputStream open(String name) throws IOException {
        URL url = Resource.class.getResource(name);
        if (url == null) {
            return null;
        }
        String text = url.toString();
        int end = text.lastIndexOf(INSIDE);
        if (end < 0 || text.indexOf(INSIDE) == end) {
            return url.openStream();
        }
        return new URL(text.substring(0, end).replace("!", "%21") + text.substring(end)).openStream();
    }
}
