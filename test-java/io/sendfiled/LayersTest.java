package io.sendfiled;

import static java.util.Map.entry;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Data flows one way, and so do includes and imports: an arrow back is a design fault. */
final class LayersTest {
    private static final Path SOURCE = Path.of(System.getProperty("sendfiled.test.source", "."));
    private static final Path CORE = SOURCE.resolve("native/core");

    /** Which package may import which others of ours, from the bottom; the root package, what embedders start, is {@code ""}. */
    private static final Map<String, Set<String>> JAVA_MAY_IMPORT = Map.ofEntries(
            entry("base", Set.of()),
            entry("jni", Set.of()),
            entry("names", Set.of("jni")),
            entry("units", Set.of()),
            entry("counters", Set.of("jni", "names", "technique", "units")),
            entry("sys", Set.of("jni")),
            entry("technique", Set.of("sys", "jni", "units")),
            entry("protocol", Set.of("sys", "technique")),
            entry("config", Set.of("jni", "names", "technique", "units")),
            entry("hot", Set.of("base", "names", "sys", "jni")),
            entry("buffer", Set.of("base", "names", "sys", "jni")),
            entry(
                    "transport",
                    Set.of("base", "engine", "config", "counters", "names", "protocol", "technique", "sys", "jni")),
            entry(
                    "client",
                    Set.of(
                            "base",
                            "buffer",
                            "config",
                            "counters",
                            "hot",
                            "names",
                            "protocol",
                            "technique",
                            "transport",
                            "sys",
                            "jni")),
            entry(
                    "engine",
                    Set.of("base", "config", "counters", "names", "protocol", "technique", "sys", "jni", "units")),
            entry("", Set.of("client", "engine", "config", "counters", "technique", "sys", "jni")),
            entry("control", Set.of("base", "config", "names", "sys", "jni")),
            entry("metrics", Set.of("base", "control", "counters", "names", "sys", "technique", "units")),
            entry(
                    "daemon",
                    Set.of(
                            "base",
                            "control",
                            "counters",
                            "engine",
                            "config",
                            "metrics",
                            "names",
                            "sys",
                            "jni",
                            "units")),
            entry("netty", Set.of("", "base", "client", "buffer", "config", "counters", "hot", "technique", "sys")),
            entry("serve", Set.of("", "base", "client", "config", "hot", "names", "netty", "sys", "units")),
            entry(
                    "tools",
                    Set.of("client", "config", "counters", "names", "serve", "technique", "sys", "jni", "units")));

    /** Libraries that not everybody wants: which packages may import them. */
    private static final Map<String, Set<String>> LIBRARY_OF = Map.of(
            "org.apache.commons.cli", Set.of("daemon", "tools"),
            "com.google.gson", Set.of("tools"),
            "com.typesafe.config", Set.of("daemon"),
            "io.prometheus", Set.of("metrics"),
            "io.netty", Set.of("netty", "serve"));

    /** The folders of native/core: which may include from which others, beside the public headers. */
    private static final Map<String, Set<String>> CORE_MAY_INCLUDE = Map.of(
            "sys", Set.of(),
            "base", Set.of("sys"),
            "protocol", Set.of("sys", "base"),
            "memory", Set.of("sys", "base"),
            "disk", Set.of("sys", "base"),
            "process", Set.of("sys", "base"),
            "transfer", Set.of("sys", "base", "protocol", "memory", "disk"),
            "loop", Set.of("sys", "base", "protocol", "memory", "disk", "transfer", "hot"),
            "hot", Set.of("sys", "base", "protocol", "memory", "disk", "transfer"),
            "engine", Set.of("sys", "base", "protocol", "memory", "disk", "transfer", "loop", "process", "hot"));

    /** What the client library takes of the core. */
    private static final Set<String> CLIENT_MAY_INCLUDE = Set.of("sys", "base", "protocol", "memory", "disk", "hot");

    private static final Pattern IMPORT = Pattern.compile("^import (?:static )?([\\w.]+)", Pattern.MULTILINE);
    private static final Pattern PACKAGE = Pattern.compile("io\\.sendfiled\\.([a-z]+)\\.");
    private static final Pattern INCLUDE =
            Pattern.compile("^\\s*#\\s*include\\s+([\"<])([^\">]+)[\">]", Pattern.MULTILINE);

    @Test
    void shouldImportOnlyFromTheLayersBelow() {
        List<String> faults = new ArrayList<>();
        for (Path file : files("java", ".java")) {
            String from =
                    packageOf(SOURCE.resolve("java").relativize(file).toString().replace('/', '.'));
            for (Matcher m = IMPORT.matcher(read(file)); m.find(); ) {
                String imported = m.group(1);
                if (imported.startsWith("io.sendfiled.")) {
                    String to = packageOf(imported);
                    if (!to.equals(from)
                            && !JAVA_MAY_IMPORT.getOrDefault(from, Set.of()).contains(to)) {
                        faults.add(SOURCE.relativize(file) + " imports " + imported);
                    }
                }
                LIBRARY_OF.forEach((library, allowed) -> {
                    if (imported.startsWith(library + ".") && !allowed.contains(from)) {
                        faults.add(SOURCE.relativize(file) + " imports " + imported);
                    }
                });
            }
        }
        assertEquals(List.of(), faults);
    }

    @Test
    void shouldIncludeOnlyFromTheFoldersBelow() {
        List<String> faults = new ArrayList<>();
        Collection<Path> files = files("native/core", ".c", ".h");
        assertFalse(files.isEmpty(), "no core sources under " + SOURCE);
        for (Path file : files) {
            String from = folder(CORE.relativize(file).toString());
            if (!CORE_MAY_INCLUDE.containsKey(from)) {
                faults.add(SOURCE.relativize(file) + " lies in no folder of the table");
            }
            for (String header : ownIncludes(file)) {
                String to = folder(header);
                if (!to.equals(from)
                        && !isPublic(header)
                        && !CORE_MAY_INCLUDE.getOrDefault(from, Set.of()).contains(to)) {
                    faults.add(SOURCE.relativize(file) + " includes " + header);
                }
            }
            if (read(file).contains("jni.h")) {
                faults.add(SOURCE.relativize(file) + " knows JNI");
            }
        }
        assertEquals(List.of(), faults);
    }

    @Test
    void shouldIncludeByThePathFromTheCore() {
        List<String> faults = new ArrayList<>();
        for (String directory : List.of("native/core", "native/client", "native/jni")) {
            for (Path file : files(directory, ".c", ".h")) {
                for (String header : ownIncludes(file)) {
                    boolean neighbour = !directory.equals("native/core")
                            && Files.exists(SOURCE.resolve(directory).resolve(header));
                    if (!isPublic(header) && !neighbour && !Files.exists(CORE.resolve(header))) {
                        faults.add(SOURCE.relativize(file) + " includes " + header);
                    }
                }
            }
        }
        assertEquals(List.of(), faults);
    }

    @Test
    void shouldGiveEachSourceOfTheCoreANameOfItsOwn() {
        Map<String, Path> named = new HashMap<>();
        List<String> faults = new ArrayList<>();
        for (Path file : files("native/core", ".c", ".h")) {
            Path other = named.putIfAbsent(file.getFileName().toString(), file);
            if (other != null) {
                faults.add(SOURCE.relativize(file) + " is called like " + SOURCE.relativize(other));
            }
        }
        assertEquals(List.of(), faults);
    }

    @Test
    void shouldKeepTheCoresIncludesFreeOfCycles() {
        Map<String, Set<String>> uses = new TreeMap<>();
        for (Path file : files("native/core", ".h")) {
            Set<String> of = uses.computeIfAbsent(unit(file.getFileName().toString()), k -> new TreeSet<>());
            for (String header : ownIncludes(file)) {
                if (!isPublic(header)) {
                    of.add(unit(header));
                }
            }
        }
        // Takes away what depends on nothing left, until nothing more can go: what remains goes round.
        Map<String, Set<String>> left = new HashMap<>(uses);
        while (left.keySet()
                .removeIf(unit -> uses.getOrDefault(unit, Set.of()).stream().noneMatch(left::containsKey))) {}
        assertEquals(Set.of(), left.keySet());
    }

    @Test
    void shouldKeepTheClientLibraryToTheLowestFoldersOfTheCore() {
        List<String> faults = new ArrayList<>();
        for (Path file : files("native/client", ".c", ".h")) {
            for (String header : ownIncludes(file)) {
                boolean own = isPublic(header)
                        || Files.exists(SOURCE.resolve("native/client").resolve(header));
                if (!own && !CLIENT_MAY_INCLUDE.contains(folder(header))) {
                    faults.add(SOURCE.relativize(file) + " includes " + header);
                }
            }
        }
        assertEquals(List.of(), faults);
    }

    @Test
    void shouldLeaveErrnoToTheTableOfSystemCalls() {
        List<String> faults = new ArrayList<>();
        Pattern errno = Pattern.compile("(?<![\\w>.\"-])errno(?![\\w.])");
        for (Path file : files("native", ".c")) {
            boolean mayReadErrno = unit(file.getFileName().toString()).startsWith("sys")
                    || file.startsWith(SOURCE.resolve("native/client"));
            // A signal handler keeps the interrupted code's errno: that is no reading of a result.
            String code = read(file)
                    .replaceAll("(?s)/\\*.*?\\*/|//[^\n]*|\"(?:\\\\.|[^\"\\\\])*\"", "")
                    .replaceAll("#\\s*include[^\n]*", "")
                    .replaceAll("const int saved = errno;|errno = saved;", "");
            if (!mayReadErrno && errno.matcher(code).find()) {
                faults.add(SOURCE.relativize(file) + " reads errno");
            }
        }
        assertEquals(List.of(), faults);
    }

    /**
     * The folder of a path in native/core; what lies in none stands for one of its own name: {@code engine.c}, and {@code
     * engine_life.c} beside it.
     */
    private static String folder(String path) {
        int slash = path.indexOf('/');
        return slash < 0 ? unit(path).replaceFirst("_.*", "") : path.substring(0, slash);
    }

    /** Whether a header is one that users of the library include as well. */
    private static boolean isPublic(String header) {
        return header.startsWith("sendfiled/")
                || Files.exists(SOURCE.resolve("include/sendfiled").resolve(header));
    }

    /** The package below ours that a qualified name begins with; "" for what stands in the root package. */
    private static String packageOf(String name) {
        Matcher below = PACKAGE.matcher(name);
        return below.lookingAt() ? below.group(1) : "";
    }

    /** A source's name without directory and ending: {@code fd} for {@code core/fd.h}. */
    private static String unit(String file) {
        String name = file.substring(file.lastIndexOf('/') + 1);
        return name.substring(0, name.lastIndexOf('.'));
    }

    /** The includes of ours: in quotes, or under sendfiled/. */
    private static List<String> ownIncludes(Path file) {
        List<String> includes = new ArrayList<>();
        for (Matcher m = INCLUDE.matcher(read(file)); m.find(); ) {
            if (m.group(1).equals("\"") || m.group(2).startsWith("sendfiled/")) {
                includes.add(m.group(2));
            }
        }
        return includes;
    }

    private static Collection<Path> files(String directory, String... endings) {
        Path root = SOURCE.resolve(directory);
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        try (Stream<Path> all = Files.walk(root)) {
            return all.filter(p -> Stream.of(endings).anyMatch(e -> p.toString().endsWith(e)))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
