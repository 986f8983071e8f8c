package io.sendfiled.serve;

import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads directories below a root. It goes down to them name by name, each opened in the one above, and follows no symbolic link:
 * nothing leads out of the root, whatever others change meanwhile.
 *
 * <p>Thread-safe; every call waits for the disk. Owns a descriptor of the root.
 */
final class Directories implements AutoCloseable {
    private static final Path SLASH = Path.of("/");
    private static final Path HERE = Path.of(".");

    private final SecureDirectoryStream<Path> root;

    private Directories(SecureDirectoryStream<Path> root) {
        this.root = root;
    }

    /** Opens the root. */
    @SuppressWarnings("StreamResourceLeak") // it is this object's
    static Directories open(Path root) throws IOException {
        DirectoryStream<Path> stream = Files.newDirectoryStream(root);
        if (stream instanceof SecureDirectoryStream<Path> secure) {
            return new Directories(secure);
        }
        stream.close();
        throw new IOException("this Java cannot open directories relative to others");
    }

    /**
     * The entries of a directory, in no order.
     *
     * @param path as a request has it
     * @param most entries, of more these many are given
     * @throws NoSuchFileException if it is none, or is behind a symbolic link
     * @throws IOException if it cannot be read
     */
    List<Entry> list(String path, int most) throws IOException {
        SecureDirectoryStream<Path> at = root.newDirectoryStream(HERE, LinkOption.NOFOLLOW_LINKS);
        try {
            for (String name : path.split("/", -1)) {
                if (name.equals("..")) {
                    throw new NoSuchFileException(path);
                }
                if (!name.isEmpty() && !name.equals(".")) {
                    SecureDirectoryStream<Path> above = at;
                    at = down(above, name);
                    above.close();
                }
            }
            return entries(at, most);
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        } finally {
            at.close();
        }
    }

    private static SecureDirectoryStream<Path> down(SecureDirectoryStream<Path> above, String name) throws IOException {
        try {
            return above.newDirectoryStream(Names.resolve(SLASH, name).getFileName(), LinkOption.NOFOLLOW_LINKS);
        } catch (FileSystemException e) {
            if (Errno.of(e) == 0) { // a symbolic link, for which the JDK has words of its own, or no directory
                throw new NoSuchFileException(name);
            }
            throw e;
        }
    }

    private static List<Entry> entries(SecureDirectoryStream<Path> directory, int most) throws IOException {
        List<Entry> entries = new ArrayList<>();
        for (Path path : directory) {
            if (entries.size() == most) {
                break;
            }
            Path name = path.getFileName();
            BasicFileAttributes attributes;
            try {
                attributes = directory
                        .getFileAttributeView(name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                        .readAttributes();
            } catch (NoSuchFileException e) {
                continue; // it has just been removed
            }
            Instant modified = attributes.lastModifiedTime().toInstant();
            entries.add(new Entry(
                    Names.text(Names.bytes(name)),
                    attributes.isDirectory(),
                    attributes.isRegularFile() ? attributes.size() : Entry.NO_SIZE,
                    modified));
        }
        return entries;
    }

    @Override
    public void close() throws IOException {
        root.close();
    }
}
