package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What the sandbox has to leave readable so that a root can be followed: Landlock knows directories, and not the paths that
 * led to them. It is the directory that holds the last symbolic link on the path of the root or, without any link, the
 * one around the root, in whose place another directory can be put by its name.
 *
 * <p>Stateless; main thread.
 */
final class FollowedRoot {
    private FollowedRoot() {}

    /**
     * The directory in which the link, or the root, can be changed, and everything that it may lead to.
     *
     * @param root absolute
     * @throws StartException if the root leads out of that directory, or it is the root of the file system
     */
    static Path demandConfinable(Path root) throws StartException {
        Path holder = holder(root);
        try {
            Path directory = holder.toRealPath();
            if (directory.getNameCount() == 0) {
                throw refuse(root, "whatever it may lead to is in " + Names.printable(directory));
            }
            if (!root.toRealPath().startsWith(directory)) {
                throw refuse(root, "it leads out of " + Names.printable(directory) + ", where the link is");
            }
            return directory;
        } catch (IOException e) {
            return holder; // the open of the root will fail as well, and say why
        }
    }

    private static Path holder(Path root) {
        for (Path path = root; path != null; path = path.getParent()) {
            if (Files.isSymbolicLink(path)) {
                return parent(path);
            }
        }
        return parent(root);
    }

    private static Path parent(Path path) {
        Path parent = path.getParent();
        return parent == null ? path : parent;
    }

    private static StartException refuse(Path root, String why) {
        return new StartException(
                Errno.EINVAL,
                "--" + Setting.FOLLOW_ROOT.key() + ": " + Names.printable(root) + ": " + why
                        + ": the sandbox cannot let the daemon read just that; put the link and what it leads to into a"
                        + " directory of their own, or start with --" + Setting.SANDBOX.key() + "=off");
    }
}
