package io.sendfiled.serve;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The media types of files, by the ending of a name. The table is mime.types beside this class: the same answers on every
 * machine, and no read of a disk while serving. Immutable.
 */
final class MediaTypes {
    private static final String UNKNOWN = "application/octet-stream";

    private final Map<String, String> byEnding = new HashMap<>();

    /** Reads the table. Blocks. */
    MediaTypes() {
        try (InputStream in = MediaTypes.class.getResourceAsStream("mime.types")) {
            if (in == null) {
                throw new IllegalStateException("mime.types is missing from the jar");
            }
            BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (!line.isEmpty() && !line.startsWith("#")) {
                    add(line.split(" ", -1));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void add(String[] words) {
        String type = words[0].startsWith("text/") ? words[0] + "; charset=utf-8" : words[0];
        for (int i = 1; i < words.length; i++) {
            byEnding.put(words[i], type);
        }
    }

    /** The type for the name at the end of a path; text counts as UTF-8. */
    String of(String path) {
        int dot = path.lastIndexOf('.');
        if (dot < 0 || dot < path.lastIndexOf('/')) {
            return UNKNOWN;
        }
        return byEnding.getOrDefault(path.substring(dot + 1).toLowerCase(Locale.ROOT), UNKNOWN);
    }
}
