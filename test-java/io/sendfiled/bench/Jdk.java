package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A Java runtime of this machine: where it is, and its version as its file {@code release} has it. */
record Jdk(Path home, String version) {
    private static final Path USUAL_PLACE = Path.of("/usr/lib/jvm");
    private static final Pattern RELEASE = Pattern.compile("^JAVA_VERSION=\"([^\"]+)\"", Pattern.MULTILINE);

    /** The one that runs this program. */
    static Jdk running() {
        return new Jdk(Path.of(System.getProperty("java.home")), System.getProperty("java.version"));
    }

    /** The running one if it is of such a feature release or later, else JAVA_HOME, else the newest in the usual place. */
    static Optional<Jdk> atLeast(int feature) throws IOException {
        List<Jdk> candidates = new ArrayList<>(List.of(running()));
        String home = System.getenv("JAVA_HOME");
        if (home != null) {
            of(Path.of(home)).ifPresent(candidates::add);
        }
        candidates.addAll(in(USUAL_PLACE));
        return candidates.stream().filter(jdk -> jdk.feature() >= feature).findFirst();
    }

    /** Those of a directory of runtimes, the newest first. */
    static List<Jdk> in(Path directory) throws IOException {
        List<Jdk> found = new ArrayList<>();
        if (Files.isDirectory(directory)) {
            try (DirectoryStream<Path> homes = Files.newDirectoryStream(directory)) {
                for (Path home : homes) {
                    of(home).ifPresent(found::add);
                }
            }
        }
        found.sort((a, b) -> Integer.compare(b.feature(), a.feature()));
        return found;
    }

    private static Optional<Jdk> of(Path home) throws IOException {
        Path release = home.resolve("release");
        if (!Files.isReadable(release) || !Files.isExecutable(home.resolve("bin/java"))) {
            return Optional.empty();
        }
        Matcher version = RELEASE.matcher(Files.readString(release));
        return version.find() ? Optional.of(new Jdk(home, version.group(1))) : Optional.empty();
    }

    /** 17 of {@code 17.0.9}. */
    int feature() {
        return Runtime.Version.parse(version).feature();
    }

    Path java() {
        return home.resolve("bin/java");
    }
}
