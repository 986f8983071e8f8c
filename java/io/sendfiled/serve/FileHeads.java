package io.sendfiled.serve;

import io.sendfiled.netty.SendfiledFile;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What an event loop has told of files lately, and will tell again: those used least lately make room. A head is used for the very
 * content that it was made of, whatever its path stands for by now.
 *
 * <p>One event loop only.
 */
final class FileHeads {
    /** Values of Accept-Encoding, of which each browser has its own. */
    private static final int MOST_CODINGS = 64;

    private final MediaTypes types;
    private final @Nullable String cacheControl;
    private final Map<String, FileHead> byPath;
    private final Map<String, List<ContentCoding>> accepted = bounded(MOST_CODINGS);

    FileHeads(int most, MediaTypes types, @Nullable String cacheControl) {
        this.types = types;
        this.cacheControl = cacheControl;
        byPath = bounded(most);
    }

    private static <V> Map<String, V> bounded(int most) {
        return new LinkedHashMap<>(16, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<String, V> eldest) {
                return size() > most;
            }
        };
    }

    /**
     * The head for a file.
     *
     * @param path by which it was asked for: that, and not the name of the coded file, has the media type
     * @param coding of the file; null: none
     */
    FileHead of(SendfiledFile file, String path, @Nullable ContentCoding coding) {
        String key = coding == null ? path : coding.token() + ":" + path; // a path begins with a slash
        FileHead known = byPath.get(key);
        if (known != null && known.isOf(file)) {
            return known;
        }
        FileHead made = new FileHead(file, coding, types.of(path), cacheControl);
        byPath.put(key, made);
        return made;
    }

    /** As {@link ContentCoding#accepted}, of one line. */
    List<ContentCoding> accepted(String line) {
        List<ContentCoding> known = accepted.get(line);
        if (known == null) {
            known = List.copyOf(ContentCoding.accepted(List.of(line)));
            accepted.put(line, known);
        }
        return known;
    }
}
