package io.sendfiled.daemon;

import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.units.ByteSizes;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The text of configuration files, after a check of what each is: a regular file, not too large, and, for a daemon that was
 * started as root, one that nobody else may change. One for one reading of the configuration; main thread; may wait for a
 * disk, but for no writer of a FIFO.
 */
final class ConfigText {
    /** Of all files of one configuration together: what is made of it has to fit into a small heap. */
    static final int MOST_BYTES = 64 << 10;

    /** Of which nothing is read. */
    static final Path NONE = Path.of("/dev/null");

    private static final int TYPE_BITS = 0170000;
    private static final int REGULAR = 0100000;
    private static final int DIRECTORY = 0040000;
    private static final int FIFO = 0010000;

    private final boolean trusted;
    private final List<Path> files = new ArrayList<>();
    private int left = MOST_BYTES;

    /** A file cannot be read: the message names it, and says why. */
    static final class Unreadable extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Unreadable(String message) {
            super(message);
        }
    }

    /**
     * @param trusted whether only root may be able to change the files
     */
    ConfigText(boolean trusted) {
        this.trusted = trusted;
    }

    /** What was read, in this order. */
    List<Path> files() {
        return List.copyOf(files);
    }

    /** Whether there is nothing of that name, as far as this user can see. */
    boolean isMissing(Path file) {
        return Files.notExists(file, LinkOption.NOFOLLOW_LINKS);
    }

    /**
     * The {@linkplain Names#text text} of a file.
     *
     * @param file absolute
     */
    String read(Path file) {
        if (file.equals(NONE)) {
            return "";
        }
        files.add(file);
        String name = Names.printable(file);
        try {
            int mode = (Integer) Files.getAttribute(file, "unix:mode");
            if ((mode & TYPE_BITS) != REGULAR) { // an open of a FIFO would wait
                throw new Unreadable(name + ": is " + nameOf(mode & TYPE_BITS) + ", and not a regular file");
            }
            if (trusted) {
                RootCheck.demandFile(file);
            }
            try (InputStream in = Files.newInputStream(file)) {
                byte[] bytes = in.readNBytes(left + 1);
                if (bytes.length > left) {
                    throw new Unreadable(name + ": the configuration is larger than " + ByteSizes.format(MOST_BYTES)
                            + ", with all that it includes");
                }
                left -= bytes.length;
                return Names.text(bytes);
            }
        } catch (StartException e) {
            throw new Unreadable(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            throw new Unreadable(name + ": " + reason(file, e));
        }
    }

    private static String reason(Path file, IOException e) {
        int errno = Errno.of(e);
        if (errno == Errno.EACCES) { // access(2) knows nothing of Landlock
            return Errno.describe(errno)
                    + (Files.isReadable(file)
                            ? ": the sandbox lets the daemon read the file that was there at the start, or each in a"
                                    + " directory that is called sendfiled: put it into one, or start again"
                            : ": the user that the daemon runs as has to be allowed to read it");
        }
        return errno == 0 ? String.valueOf(e.getMessage()) : Errno.describe(errno);
    }

    private static String nameOf(int type) {
        return switch (type) {
            case DIRECTORY -> "a directory";
            case FIFO -> "a FIFO";
            default -> "a device or a socket";
        };
    }
}
