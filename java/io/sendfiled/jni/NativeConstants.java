package io.sendfiled.jni;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Numbers that C and Java both write down: offsets, sizes, codes, orders. The library has a table of its own,
 * {@code native/jni/jni_constants.c}, which is compared with the classes group by group before anything depends on it.
 *
 * <p>Stateless, any thread; needs a loaded library.
 */
public final class NativeConstants {
    private NativeConstants() {}

    /**
     * Returns when the library has exactly these numbers in a group.
     *
     * @throws UnsatisfiedLinkError with the name and both numbers, if one differs, or is missing on one side
     */
    public static void check(String group, Map<String, Integer> ofClasses) {
        Map<String, Integer> ofLibrary = Table.GROUPS.getOrDefault(group, Map.of());
        if (ofLibrary.equals(ofClasses)) {
            return;
        }
        Map<String, Integer> names = new TreeMap<>(ofLibrary);
        names.putAll(ofClasses);
        for (String name : names.keySet()) {
            Integer library = ofLibrary.get(name);
            Integer classes = ofClasses.get(name);
            if (library == null || !library.equals(classes)) {
                throw new UnsatisfiedLinkError(group + "." + name + " is " + words(library)
                        + " in sendfiled's native library, but " + words(classes) + " in its classes");
            }
        }
    }

    private static String words(@Nullable Integer number) {
        return number == null ? "missing" : number.toString();
    }

    /** The library's table, by group, read once: checks of a dozen groups follow each other. */
    private static final class Table {
        static final Map<String, Map<String, Integer>> GROUPS = new TreeMap<>();

        static {
            String name = name0(0);
            for (int i = 0; name != null; name = name0(++i)) {
                int dot = name.indexOf('.');
                Map<String, Integer> group = GROUPS.get(name.substring(0, dot));
                if (group == null) { // no lambda: the first one of a program costs it 3 ms
                    group = new TreeMap<>();
                    GROUPS.put(name.substring(0, dot), group);
                }
                group.put(name.substring(dot + 1), value0(i));
            }
        }
    }

    /** {@code GROUP.NAME} of an entry; null behind the last. */
    private static native @Nullable String name0(int index);

    private static native int value0(int index);
}
