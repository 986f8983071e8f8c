package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.Sendfiled;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.support.HelperProgram;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;
import org.osgi.framework.Constants;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.launch.FrameworkFactory;

/**
 * What the jar carries for others than the class path: the native library and the oldest glibc that it runs on, what OSGi and
 * GraalVM's native-image want to know, and that a second build would be the same. {@code ModuleIT} has the modules.
 */
@Timeout(60)
final class JarIT {
    private static final Path SOURCE = Path.of(System.getProperty("sendfiled.test.source", "."));
    private static final Path JAR = Path.of(
                    System.getProperty("sendfiled.test.dist", "target/dist"),
                    "lib/sendfiled",
                    "sendfiled-" + NativeLibrary.version() + ".jar")
            .toAbsolutePath();
    private static final String METADATA = "META-INF/native-image/io.sendfiled/sendfiled/";

    @TempDir
    private Path directory;

    private static List<String> entries() throws IOException {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            return jar.stream().map(JarEntry::getName).toList();
        }
    }

    private static byte[] entry(String name) throws IOException {
        try (JarFile jar = new JarFile(JAR.toFile());
                InputStream in = jar.getInputStream(jar.getEntry(name))) {
            return in.readAllBytes();
        }
    }

    private static JsonElement metadata(String name) throws IOException {
        return JsonParser.parseString(new String(entry(METADATA + name), StandardCharsets.UTF_8));
    }

    private static List<String> libraries() throws IOException {
        return entries().stream().filter(name -> name.endsWith(".so")).toList();
    }

    @Test
    void shouldRunOnTheOldestGlibcThatIsPromised() throws Exception {
        Matcher promise =
                Pattern.compile("glibc 2\\.(\\d+) or later").matcher(Files.readString(SOURCE.resolve("README.md")));
        assertTrue(promise.find(), "README.md names no version");
        for (String library : libraries()) {
            Path copy = Files.write(directory.resolve("library.so"), entry(library));
            String symbols = HelperProgram.output("readelf", "--wide", "--dyn-syms", copy.toString());
            List<String> newer = Pattern.compile("\\S+@GLIBC_2\\.(\\d+)")
                    .matcher(symbols)
                    .results()
                    .filter(symbol -> Integer.parseInt(symbol.group(1)) > Integer.parseInt(promise.group(1)))
                    .map(symbol -> symbol.group())
                    .toList();
            assertTrue(symbols.contains("@GLIBC_2."), symbols);
            assertEquals(List.of(), newer, library);
        }
    }

    @Test
    void shouldExportFromItsBundleWhatItsModuleExports() throws Exception {
        ModuleDescriptor module =
                ModuleFinder.of(JAR).find("io.sendfiled").orElseThrow().descriptor();
        Set<String> exported =
                module.exports().stream().map(ModuleDescriptor.Exports::source).collect(Collectors.toSet());
        try (JarFile jar = new JarFile(JAR.toFile())) {
            String packages = jar.getManifest().getMainAttributes().getValue(Constants.EXPORT_PACKAGE);
            assertEquals(
                    exported,
                    Arrays.stream(packages.split(","))
                            .map(clause -> clause.split(";", -1)[0])
                            .collect(Collectors.toSet()));
        }
    }

    @Test
    void shouldLoadItsLibraryAsABundle() throws Exception {
        String explicit = System.clearProperty(NativeLibrary.PATH_PROPERTY);
        Framework framework = ServiceLoader.load(FrameworkFactory.class)
                .findFirst()
                .orElseThrow()
                .newFramework(Map.of(
                        Constants.FRAMEWORK_STORAGE, directory.resolve("cache").toString()));
        try {
            framework.start();
            Bundle bundle =
                    framework.getBundleContext().installBundle(JAR.toUri().toString());
            bundle.start();
            Class<?> type = bundle.loadClass(Sendfiled.class.getName());
            assertEquals(null, type.getMethod("unavailabilityCause").invoke(null));
            assertTrue(Files.readString(Path.of("/proc/self/maps")).contains(directory + "/cache/"));
        } finally {
            framework.stop();
            framework.waitForStop(0);
            if (explicit != null) {
                System.setProperty(NativeLibrary.PATH_PROPERTY, explicit);
            }
        }
    }

    @Test
    void shouldTellNativeImageWhichClassesTheLibraryLooksUp() throws Exception {
        Set<String> natives = new TreeSet<>();
        for (String name : entries()) {
            if (name.startsWith("io/sendfiled/jni/") && name.endsWith(".class")) {
                Class<?> type = Class.forName(
                        name.substring(0, name.length() - ".class".length()).replace('/', '.'),
                        false,
                        getClass().getClassLoader());
                if (Arrays.stream(type.getDeclaredMethods())
                        .anyMatch(method -> Modifier.isNative(method.getModifiers()))) {
                    natives.add(type.getName());
                }
            }
        }
        Set<String> named = new TreeSet<>();
        Set<String> members = new HashSet<>();
        for (JsonElement element : metadata("jni-config.json").getAsJsonArray()) {
            JsonObject description = element.getAsJsonObject();
            Class<?> type = Class.forName(
                    description.get("name").getAsString(), false, getClass().getClassLoader());
            named.add(type.getName());
            if (description.has("fields")) {
                for (JsonElement field : description.getAsJsonArray("fields")) {
                    String name = field.getAsJsonObject().get("name").getAsString();
                    assertEquals(name, type.getDeclaredField(name).getName());
                }
            }
            if (description.has("methods")) {
                description
                        .getAsJsonArray("methods")
                        .forEach(method ->
                                members.add(method.getAsJsonObject().get("name").getAsString()));
            }
        }
        assertEquals(
                natives,
                named.stream()
                        .filter(name -> name.startsWith("io.sendfiled."))
                        .collect(Collectors.toCollection(TreeSet::new)));
        for (Path file : glue()) { // what C looks up by a name of its own
            String text = Files.readString(file);
            for (Matcher m = Pattern.compile("FindClass\\(env, \"([\\w/]+)\"").matcher(text); m.find(); ) {
                assertTrue(named.contains(m.group(1).replace('/', '.')), file + ": " + m.group(1));
            }
            for (Matcher m = Pattern.compile("GetMethodID\\(env, \\w+, \"([^\"]+)\"")
                            .matcher(text);
                    m.find(); ) {
                assertTrue(members.contains(m.group(1)), file + ": " + m.group(1));
            }
        }
    }

    private static List<Path> glue() throws IOException {
        try (var files = Files.list(SOURCE.resolve("native/jni"))) {
            return files.toList();
        }
    }

    @Test
    void shouldTellNativeImageWhichResourcesAreRead() throws Exception {
        List<Pattern> patterns = metadata("resource-config.json")
                .getAsJsonObject()
                .getAsJsonObject("resources")
                .getAsJsonArray("includes")
                .asList()
                .stream()
                .map(include ->
                        Pattern.compile(include.getAsJsonObject().get("pattern").getAsString()))
                .toList();
        Set<String> included = entries().stream()
                .filter(name -> patterns.stream()
                        .anyMatch(pattern -> pattern.matcher(name).matches()))
                .collect(Collectors.toSet());
        Set<String> read = new HashSet<>(libraries());
        read.add("io/sendfiled/jni/version.txt");
        assertEquals(read, included);
    }

    /** Two builds of one commit by one set of tools are equal: neither when nor where stands in the jar. */
    @Test
    void shouldNotTellWhenAndWhereItWasBuilt() throws Exception {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            assertEquals(
                    1,
                    jar.stream().map(JarEntry::getLastModifiedTime).distinct().count());
        }
        String place = SOURCE.toAbsolutePath().normalize().toString();
        for (String name : entries()) {
            if (!name.endsWith("/")) {
                assertFalse(new String(entry(name), StandardCharsets.ISO_8859_1).contains(place), name);
            }
        }
    }
}
