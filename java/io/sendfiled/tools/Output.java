package io.sendfiled.tools;

import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * A file that a transfer is written to. It is a temporary one beside the file that was asked for, and becomes that file
 * when it is complete: so neither a failure nor a source that is the same file costs what was there. What is no regular
 * file is written in place, and so is a regular one with {@code --inplace}, which is cut at the end and not before.
 *
 * <p>One thread writes; the shutdown hook may {@link #abandon} at any time.
 */
final class Output implements Closeable {
    private static final int MAX_LINKS = 40; // as the kernel
    private static final int MAX_NAME = 255;
    private static final int PERMISSIONS = 0777;
    private static final Path OPEN_FILES = Path.of("/proc");
    private static final String SUFFIX = ".part";

    private enum State {
        WRITING,
        COMPLETE,
        ABANDONED
    }

    private final String name;
    private final boolean inPlace;
    private final boolean keepsPart;
    private final boolean replaces;
    private final Deadline deadline;

    private State state = State.WRITING;
    private boolean regular = true;
    private @Nullable FileStat replaced;
    private @Nullable Path target;
    private @Nullable Path part; // what to remove in a failure
    private @Nullable FileChannel channel;

    Output(String name, Arguments arguments) {
        this.name = name;
        inPlace = arguments.isSet(OptionSpec.INPLACE);
        keepsPart = arguments.isSet(OptionSpec.PARTIAL);
        replaces = !arguments.isSet(OptionSpec.NO_CLOBBER);
        deadline = arguments.deadline();
    }

    /**
     * Opens it.
     *
     * @param source what is sent, if it is known; a file is not written to itself
     */
    FileChannel open(@Nullable FileStat source) throws SfdException, InterruptedException {
        try {
            return open(Names.path(name), source);
        } catch (InvalidPathException e) {
            throw failed(new NativeIoException("open", name.isEmpty() ? Errno.ENOENT : Errno.EINVAL));
        } catch (FileAlreadyExistsException e) { // made meanwhile
            throw failed(new NativeIoException("open", Errno.EEXIST));
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private FileChannel open(Path given, @Nullable FileStat source)
            throws IOException, SfdException, InterruptedException {
        if (name.endsWith("/")) { // a Path forgets it
            throw new NativeIoException("open", Errno.EISDIR);
        }
        FileStat old = attributes(given);
        if (old != null) {
            if (!replaces) {
                throw new NativeIoException("open", Errno.EEXIST);
            }
            checkThatItDiffers(source, old);
            replaced = old;
            if (Files.isDirectory(given)) {
                throw new NativeIoException("open", Errno.EISDIR);
            }
            regular = Files.isRegularFile(given);
        }
        Path file = regular && !inPlace ? followed(given) : null;
        if (file == null) {
            return openInPlace(given, old == null);
        }
        if (old != null && !Files.isWritable(file)) { // a rename would not ask
            throw new NativeIoException("open", Errno.EACCES);
        }
        return openPart(file, old);
    }

    /** Refuses to go on if the source is the file that was there. */
    void demandThatItDiffers(@Nullable FileStat source) throws SfdException {
        checkThatItDiffers(source, replaced);
    }

    private void checkThatItDiffers(@Nullable FileStat source, @Nullable FileStat old) throws SfdException {
        if (source != null && old != null && source.isSameFile(old)) {
            throw SfdException.refused(name, "it is the file that is sent, and would be written to itself");
        }
    }

    private FileChannel openInPlace(Path file, boolean isNew) throws IOException, InterruptedException {
        OpenOption[] options = isNew
                ? new OpenOption[] {StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW}
                : new OpenOption[] {StandardOpenOption.WRITE};
        FileChannel opened = deadline.open(() -> FileChannel.open(file, options)); // a FIFO may have no reader
        synchronized (this) {
            channel = opened;
            target = file;
            part = isNew ? file : null;
            if (state == State.ABANDONED) {
                remove();
            }
        }
        return opened;
    }

    private synchronized FileChannel openPart(Path file, @Nullable FileStat old) throws IOException {
        if (state == State.ABANDONED) {
            throw new NativeIoException("open", Errno.ECANCELED);
        }
        FileChannel made = null;
        Path name = file;
        while (made == null) {
            name = partOf(file);
            made = create(name, old != null);
        }
        target = file;
        part = name;
        channel = made;
        if (old != null) {
            adopt(name, old);
        }
        return made;
    }

    /** A new file, or null if there is one of that name. */
    private static @Nullable FileChannel create(Path file, boolean replaces) throws IOException {
        try {
            return FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
        } catch (FileAlreadyExistsException e) {
            return null;
        } catch (IOException e) {
            int errno = Errno.of(e);
            if (replaces && (errno == Errno.EACCES || errno == Errno.EPERM || errno == Errno.EROFS)) {
                throw new IOException(
                        "no file can be made beside it: " + Errno.describe(errno)
                                + "; --inplace writes to the file itself",
                        e);
            }
            throw e;
        }
    }

    /** The new file is as the old one was, as far as this user may make it so; but a program does not stay setuid. */
    private static void adopt(Path file, FileStat old) throws IOException {
        FileStat made = FileStat.of(file);
        try {
            if (made.group() != old.group()) {
                Files.setAttribute(file, "unix:gid", old.group());
            }
            if (made.owner() != old.owner()) {
                Files.setAttribute(file, "unix:uid", old.owner());
            }
        } catch (FileSystemException e) {
            // Only root may give files away: as a new file, it is this user's.
        }
        Files.setAttribute(file, "unix:mode", old.mode() & PERMISSIONS);
    }

    private static @Nullable FileStat attributes(Path file) throws IOException {
        try {
            return FileStat.of(file);
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /**
     * The file behind symbolic links, also behind one that leads to nothing yet; the links stay. Null if one of them is in
     * /proc: it names an open file, and no place for another one.
     */
    private static @Nullable Path followed(Path file) throws IOException {
        Path current = file;
        for (int i = 0; i < MAX_LINKS; i++) {
            if (!Files.isSymbolicLink(current)) {
                return current;
            }
            Path directory = current.toAbsolutePath().getParent();
            if (directory == null || directory.toRealPath().startsWith(OPEN_FILES)) {
                return null;
            }
            current = current.resolveSibling(Files.readSymbolicLink(current));
        }
        throw new NativeIoException("open", Errno.ELOOP);
    }

    /** A name beside the file, which is visible, so that what a killed sfd leaves is found. */
    private static Path partOf(Path file) {
        byte[] whole = Names.bytes(file);
        int slash = whole.length;
        while (slash > 0 && whole[slash - 1] != '/') {
            slash--;
        }
        String ending =
                "." + HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextInt()) + SUFFIX;
        int length = Math.min(whole.length, slash + MAX_NAME - ending.length());
        byte[] path = Arrays.copyOf(whole, length + ending.length());
        byte[] tail = ending.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(tail, 0, path, length, tail.length);
        return Names.path(path);
    }

    /**
     * Everything has been written: the file gets its name, or is cut where the new content ends.
     *
     * @param source what was sent, if that is known only now
     */
    synchronized void complete(@Nullable FileStat source) throws SfdException {
        demandThatItDiffers(source);
        if (state == State.ABANDONED || channel == null || target == null) {
            throw failed(new NativeIoException("write", Errno.ECANCELED));
        }
        try {
            if (part == null || part.equals(target)) {
                if (regular) {
                    channel.truncate(channel.position()); // the daemon has moved it: the description is shared
                }
                channel.close();
            } else {
                channel.close(); // first: a file system may tell only now that it is full
                moveTo(part, target);
            }
        } catch (IOException e) {
            throw failed(e);
        }
        state = State.COMPLETE;
    }

    private void moveTo(Path from, Path to) throws IOException {
        if (replaces) {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            return;
        }
        try {
            Files.createLink(to, from); // replaces nothing
        } catch (FileAlreadyExistsException e) {
            throw new NativeIoException("rename", Errno.EEXIST);
        } catch (IOException | UnsupportedOperationException e) { // a file system without links
            Files.move(from, to);
            return;
        }
        Files.delete(from);
    }

    /** Nothing more will come: removes what was written, unless it is to be kept. Does nothing after the end. */
    synchronized void abandon() {
        if (state == State.WRITING) {
            state = State.ABANDONED;
            remove();
        }
    }

    private void remove() {
        try {
            if (part != null && !(keepsPart && Files.size(part) > 0)) {
                Files.delete(part);
                part = null;
            }
        } catch (IOException e) {
            part = null; // somebody else has removed it
        }
    }

    /** Where the bytes are that arrived before a failure, or null. */
    synchronized @Nullable String kept(boolean some) {
        if (state != State.ABANDONED || target == null || !regular) {
            return null;
        }
        if (part != null) {
            return Names.printable(part);
        }
        return inPlace && some && Files.exists(target, LinkOption.NOFOLLOW_LINKS) ? name : null;
    }

    private SfdException failed(IOException e) {
        return SfdException.of(name, e);
    }

    /** Ends it, complete or not. */
    @Override
    public void close() {
        abandon();
        FileChannel open;
        synchronized (this) {
            open = channel;
        }
        if (open != null) {
            try {
                open.close();
            } catch (IOException e) {
                return; // it was abandoned: nobody needs what is lost
            }
        }
    }
}
