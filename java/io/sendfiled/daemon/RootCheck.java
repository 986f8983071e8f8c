package io.sendfiled.daemon;

import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Checks that only root and the daemon's user can replace the root with another directory: for a daemon that was
 * started as root, as sshd(8) requires of a ChrootDirectory. Every directory on the way must belong to one of the two
 * users, and be writable by no other. If it is writable by others but sticky, as /tmp is, its next entry on the way
 * must belong to one of the two.
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

    private final Path root;
    private final int uid;

    private RootCheck(Path root, int uid) {
        this.root = root;
        this.uid = uid;
    }

    /**
     * Returns when the way to the root is safe, or when an entry on it cannot be read: then the open of the root fails
     * and reports why.
     *
     * @param root absolute
     * @param uid the user that the daemon runs as
     */
    static void demand(Path root, int uid) throws StartException {
        new RootCheck(root, uid).walk();
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

    private void walk() throws StartException {
        Deque<Path> names = new ArrayDeque<>();
        root.forEach(names::addLast);
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
                    Path target = Files.readSymbolicLink(entry.path());
                    directory = target.isAbsolute() ? Entry.of(Path.of("/")) : directory;
                    for (int i = target.getNameCount() - 1; i >= 0; i--) {
                        names.addFirst(target.getName(i));
                    }
                } else {
                    directory = entry;
                }
            }
        } catch (IOException e) {
            // The open of the root will fail as well, and say why.
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
                "--root: " + Names.printable(root) + ": " + path + " " + fault + " (" + entry.describe()
                        + "), who could put another directory in its place: " + remedy
                        + ", or start as the user that shall serve");
    }
}
