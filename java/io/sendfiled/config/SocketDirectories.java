package io.sendfiled.config;

import io.sendfiled.names.Invocation;
import io.sendfiled.names.Names;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The one rule by which the daemon chooses a socket directory and a client finds it: {@code $XDG_RUNTIME_DIR}, then
 * {@code /run/sendfiled}, then the private {@code /tmp/sendfiled-UID}. A directory that it gives is safe from other
 * users: if they owned the one in /tmp, they could receive our requests and descriptors.
 *
 * <p>Stateless, any thread; touches the disk. Only {@link #forDaemon()} makes a directory, and only the one in /tmp.
 */
public final class SocketDirectories {
    private static final int PERMISSION_BITS = 0777;
    private static final int PRIVATE = 0700;

    private final Map<String, String> environment;
    private final Path runDirectory;
    private final Path tmpDirectory;
    private final int uid;

    SocketDirectories(Map<String, String> environment, Path runDirectory, Path tmpDirectory, int uid) {
        this.environment = environment;
        this.runDirectory = runDirectory;
        this.tmpDirectory = tmpDirectory;
        this.uid = uid;
    }

    private static SocketDirectories ofThisProcess() {
        return new SocketDirectories(Invocation.environment(), Path.of("/run"), Path.of("/tmp"), effectiveUid());
    }

    /** The request socket's name inside its directory. */
    public static String socketFile(String name) {
        return "sendfiled." + name + ".socket";
    }

    /**
     * Where a daemon of this user serves when it was told nothing else.
     *
     * @throws InvalidSettingException when none of the three can be used, with the reason and the remedy
     */
    public static Path forDaemon() {
        return ofThisProcess().choose();
    }

    /** The first candidate that holds the socket of an instance of that name, or null. */
    public static @Nullable Path find(String name) {
        return ofThisProcess().holding(name);
    }

    /** Where {@link #find} looks, in this order; for a message that says so. */
    public static List<Path> candidates() {
        return ofThisProcess().all();
    }

    Path choose() {
        Path runtime = runtimeDirectory();
        if (runtime != null && Files.isWritable(runtime)) {
            return runtime;
        }
        Path system = systemDirectory();
        if (Files.isDirectory(system) ? Files.isWritable(system) : Files.isWritable(runDirectory)) {
            return system;
        }
        Path own = ownDirectory();
        try {
            Files.createDirectory(
                    own, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (FileAlreadyExistsException e) {
            // It usually exists, from the last start; the next line checks its owner.
        } catch (IOException e) {
            throw new InvalidSettingException(
                    Setting.SOCKET_DIRECTORY, "cannot make " + own + "; give another directory", e);
        }
        String fault = ownDirectoryFault();
        if (fault != null) {
            throw new InvalidSettingException(
                    Setting.SOCKET_DIRECTORY, own + " " + fault + "; remove it or give another directory");
        }
        return own;
    }

    @Nullable
    Path holding(String name) {
        String file = socketFile(name);
        for (Path directory : all()) {
            if (Files.exists(Names.resolve(directory, file), LinkOption.NOFOLLOW_LINKS)
                    && (!directory.equals(ownDirectory()) || ownDirectoryFault() == null)) {
                return directory;
            }
        }
        return null;
    }

    List<Path> all() {
        List<Path> found = new ArrayList<>(3);
        Path runtime = runtimeDirectory();
        if (runtime != null) {
            found.add(runtime);
        }
        found.add(systemDirectory());
        found.add(ownDirectory());
        return found;
    }

    /*
     * The XDG base directory specification: absolute, and owned by us; one that sudo or su has left set may belong to
     * another user.
     */
    private @Nullable Path runtimeDirectory() {
        String value = environment.get("XDG_RUNTIME_DIR");
        if (value == null || !value.startsWith("/")) {
            return null;
        }
        Path directory = Names.path(value);
        try {
            return Files.isDirectory(directory) && owner(directory) == uid ? directory : null;
        } catch (IOException e) {
            return null;
        }
    }

    private Path systemDirectory() {
        return runDirectory.resolve("sendfiled");
    }

    private Path ownDirectory() {
        return tmpDirectory.resolve("sendfiled-" + Integer.toUnsignedString(uid));
    }

    private @Nullable String ownDirectoryFault() {
        Path own = ownDirectory();
        try {
            if (!Files.isDirectory(own, LinkOption.NOFOLLOW_LINKS)) {
                return "is not a directory";
            }
            int owner = owner(own);
            if (owner != uid) {
                return "belongs to another user (uid " + Integer.toUnsignedString(owner) + ")";
            }
            int mode = (Integer) Files.getAttribute(own, "unix:mode", LinkOption.NOFOLLOW_LINKS) & PERMISSION_BITS;
            return (mode & ~PRIVATE) == 0 ? null : "is open to other users (mode " + Integer.toOctalString(mode) + ")";
        } catch (NoSuchFileException e) {
            return "was removed meanwhile";
        } catch (IOException e) {
            return "cannot be examined (" + e.getMessage() + ")";
        }
    }

    private static int owner(Path path) throws IOException {
        return (Integer) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }

    /*
     * From the text of proc(5), because /proc/self itself belongs to root after a change of user (prctl(2),
     * PR_SET_DUMPABLE), and because this class must work before any native library is loaded.
     */
    private static int effectiveUid() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"), StandardCharsets.ISO_8859_1)) {
                if (line.startsWith("Uid:")) {
                    return Integer.parseUnsignedInt(line.split("\t", -1)[2]);
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException("cannot read /proc/self/status: is /proc mounted?", e);
        }
        throw new IllegalStateException("/proc/self/status has no Uid line");
    }
}
