package io.sendfiled.bench;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Where another user can start our programs: copies of the class path, the native library and helper programs, which a
 * checkout in root's home would hide. Closing removes it. Where the harness is not root there is one user, and no copy.
 */
final class Stage implements AutoCloseable {
    /** Owns nothing; a number, as the kernel asks for no name. */
    static final int OTHER_USER = 54321;

    private static final Pattern SERVER_JARS = Pattern.compile("^(netty|vertx|jackson)-");

    private final Programs programs;
    private final Path directory;
    private final boolean copies;
    private final String classPath;
    /** {@code bin} and {@code lib/sendfiled} of what is installed. */
    private final Path installation;

    private Stage(Programs programs, Path directory, boolean copies, String classPath, Path installation) {
        this.programs = programs;
        this.directory = directory;
        this.copies = copies;
        this.classPath = classPath;
        this.installation = installation;
    }

    /** Copies what is needed. Blocks. */
    static Stage create(Programs programs) throws IOException {
        boolean copies = Programs.isRoot();
        Path directory = Files.createTempDirectory(Path.of("/var/tmp"), "sendfiled-bench");
        Files.setAttribute(directory, "unix:mode", 0755);
        Path installation = programs.dist().toAbsolutePath();
        String classPath = System.getProperty("java.class.path");
        if (copies) {
            installation = copyInstallation(installation, directory.resolve("installation"));
            classPath = copyClassPath(classPath, directory);
        }
        Stage stage = new Stage(programs, directory, copies, classPath, installation);
        Runtime.getRuntime().addShutdownHook(new Thread(stage::close, "end of " + directory)); // however this one ends
        return stage;
    }

    private static Path copyInstallation(Path from, Path to) throws IOException {
        for (String part : List.of("bin", "lib/sendfiled")) {
            Files.createDirectories(to.resolve(part).getParent());
            copyTree(from.resolve(part), to.resolve(part));
        }
        return to;
    }

    /** Directories, and of the libraries those that a server of files needs. */
    private static String copyClassPath(String classPath, Path directory) throws IOException {
        List<String> copied = new ArrayList<>();
        for (String entry : classPath.split(File.pathSeparator)) {
            Path source = Path.of(entry);
            Path target = directory.resolve("class-path-" + copied.size());
            if (Files.isDirectory(source)) {
                copied.add(copyTree(source, target).toString());
            } else if (SERVER_JARS.matcher(source.getFileName().toString()).find()) {
                Path jar = target.resolveSibling(source.getFileName());
                copied.add(Files.copy(source, jar).toString());
                makeReadable(jar);
            }
        }
        return String.join(File.pathSeparator, copied);
    }

    private static Path copyTree(Path from, Path to) throws IOException {
        try (Stream<Path> tree = Files.walk(from)) {
            for (Path path : tree.toList()) {
                Path copy = to.resolve(from.relativize(path).toString());
                Files.copy(path, copy);
                makeReadable(copy);
            }
        }
        return to;
    }

    /** Whatever the umask of the build was. */
    private static void makeReadable(Path file) throws IOException {
        Files.setAttribute(file, "unix:mode", Files.isDirectory(file) || Files.isExecutable(file) ? 0755 : 0644);
    }

    /** A new directory that a server of this user may write to; 0 is the files' owner, 1 the other. */
    Path directory(String name, int user) throws IOException {
        Path made = Files.createDirectories(directory.resolve(name + "-" + user));
        if (user == 1) {
            Files.setAttribute(made, "unix:uid", OTHER_USER);
        }
        return made;
    }

    /** How a class is started, with the options of a usual server. */
    List<String> java(Class<?> main, Object... args) {
        return java(Jdk.running(), main, args);
    }

    /** The same by another Java. */
    List<String> java(Jdk jdk, Class<?> main, Object... args) {
        return Programs.java(jdk, installation.resolve("lib/sendfiled"), classPath, main, args);
    }

    /** Where sfd can be started from. */
    Path sfd() {
        return installation.resolve("bin/sfd");
    }

    /** Where a helper program can be started from. */
    Path helper(String name) throws IOException {
        Path original = programs.helper(name);
        if (!copies) {
            return original;
        }
        Path copy = directory.resolve(name);
        if (!Files.exists(copy)) {
            Files.copy(original, copy);
            makeReadable(copy);
        }
        return copy;
    }

    /** The same command, run by the other user. Only root can. */
    List<String> byOtherUser(List<String> command) {
        List<String> other = new ArrayList<>(
                List.of("setpriv", "--reuid=" + OTHER_USER, "--regid=" + OTHER_USER, "--clear-groups", "--"));
        other.addAll(command);
        return other;
    }

    @Override
    public void close() {
        try {
            if (Files.exists(directory)) {
                Bench.deleteTree(directory);
            }
        } catch (IOException e) {
            System.err.println("bench: " + directory + " is left behind: " + e.getMessage());
        }
    }
}
