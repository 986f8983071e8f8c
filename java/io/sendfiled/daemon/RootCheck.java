package io.sendfiled.daemon;

import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Checks who can put something else in the place of what a daemon uses that was started as root: only root and the
 * daemon's user may replace the root with another directory, as sshd(8) requires of a ChrootDirectory, and only root may
 * change a configuration file. Every directory on the way must belong to one of these users, and be writable by no
 * other. If it is writable by others but sticky, as /tmp is, its next entry on the way must belong to one of them.
 *
 * <p>The root itself is not checked: a user who can write in it only decides what is served. The check goes from the
 * top down, and checks each entry when no other user can change it any more, so that nothing can change between the
 * check and the open.
 *
 * <p>Stateless; main thread.
 */
final class RootCheck {
    private static final int ROOT = 0;
    private static final int TYPE_BITS = 0170000;
    private static final int LINK = 0120000;
    private static final int STICKY = 01000;
    private static final int WRITABLE_BY_OTHERS = 0022;
    private static final int PERMISSION_BITS = 07777;
    private static final int MOST_LINKS = 40;

    private final String label;
    private final Path target;
    private final int uid;
    private final String danger;
    private final String otherRemedy;

    private RootCheck(String label, Path target, int uid, String danger, String otherRemedy) {
        this.label = label;
        this.target = target;
        this.uid = uid;
        this.danger = danger;
        this.otherRemedy = otherRemedy;
    }

    /**
     * Returns when the way to the root is safe, or when an entry on it cannot be read: then the open of the root fails
     * and reports why.
     *
     * @param label what a message begins with, {@code --root}
     * @param root absolute
     * @param uid the user that the daemon runs as
     */
    static void demand(String label, Path root, int uid) throws StartException {
        new RootCheck(
                        label + ": " + Names.printable(root),
                        root,
                        uid,
                        "who could put another directory in its place",
                        ", or start as the user that shall serve")
                .walk();
    }

    /**
     * Returns when only root can change or replace a file, or when an entry on the way cannot be read: then the open of
     * the file fails and reports why.
     *
     * @param file absolute
     */
    static void demandFile(Path file) throws StartException {
        RootCheck check = new RootCheck(
                Names.printable(file), file, ROOT, "who could decide what root starts", ", or start as another user");
        Entry found = check.walk();
        if (found == null) {
            return;
        }
        if (!check.isTrusted(found.owner())) {
            throw check.refuse(found, "belongs to another user");
        }
        if (found.isWritableByOthers()) {
            throw check.refuse(found, "may be written by others");
        }
    }

    /** An entry that is checked: a file's mode with its type, and its owner. */
    private record Entry(Path path, int mode, int owner) {
        static Entry of(Path path) throws IOException {
            int mode = (Integer) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
            return new Entry(path, mode, (Integer) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS));
        }

        boolean isLink() {
            return (mode & TYPE_BITS) == LINK;
        }

        boolean isWritableByOthers() {
            return (mode & WRITABLE_BY_OTHERS) != 0;
        }

        boolean isSticky() {
            return (mode & STICKY) != 0;
        }

        String describe() {
            return "owner uid " + Integer.toUnsignedString(owner) + ", mode "
                    + String.format("%04o", mode & PERMISSION_BITS);
        }
    }

    /** What the path leads to; null when an entry on the way cannot be read. */
    private @Nullable Entry walk() throws StartException {
        Deque<Path> names = new ArrayDeque<>();
        target.forEach(names::addLast);
        int links = 0;
        try {
            Entry directory = Entry.of(Path.of("/"));
            while (!names.isEmpty() && links <= MOST_LINKS) {
                Path name = names.removeFirst();
                String text = name.toString();
                checkDirectory(directory);
                if (text.isEmpty() || text.equals(".")) {
                    continue;
                }
                if (text.equals("..")) {
                    Path parent = directory.path().getParent();
                    directory = parent == null ? directory : Entry.of(parent);
                    continue;
                }
                Entry entry = Entry.of(directory.path().resolve(name));
                if (directory.isWritableByOthers() && !isTrusted(entry.owner())) {
                    throw refuse(entry, "belongs to another user, in a directory where everybody may make files");
                }
                if (entry.isLink()) {
                    links++;
                    Path link = Files.readSymbolicLink(entry.path());
                    directory = link.isAbsolute() ? Entry.of(Path.of("/")) : directory;
                    for (int i = link.getNameCount() - 1; i >= 0; i--) {
                        names.addFirst(link.getName(i));
                    }
                } else {
                    directory = entry;
                }
            }
            return directory;
        } catch (IOException e) {
            return null; // the open will fail as well, and say why
        }
    }

    private void checkDirectory(Entry directory) throws StartException {
        if (!isTrusted(directory.owner())) {
            throw refuse(directory, "belongs to another user");
        }
        if (directory.isWritableByOthers() && !directory.isSticky()) {
            throw refuse(directory, "may be written by others");
        }
    }

    private boolean isTrusted(int owner) {
        return owner == ROOT || owner == uid;
    }

    private StartException refuse(Entry entry, String fault) {
        String path = Names.printable(entry.path());
        String remedy = isTrusted(entry.owner()) ? "chmod go-w " + path : "chown root " + path;
        return new StartException(
                Errno.EPERM,
                label + ": " + path + " " + fault + " (" + entry.describe() + "), " + danger + ": " + remedy
                        + otherRemedy);
    }
}
