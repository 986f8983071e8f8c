package io.sendfiled.counters;

import io.sendfiled.names.Names;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The file in which a daemon keeps its counters, open: it is read without asking the daemon, which may be stopped or
 * dead. {@code native/core/base/counters_file.h} says where it is.
 *
 * <p>It is read, and never mapped: whoever owns it could cut it off at any time. One thread at a time.
 */
public final class CountersFile implements AutoCloseable {
    /** What has become of the process that writes it. */
    public enum Writer {
        /** It is there. */
        RUNNING,
        /** Somebody has stopped it: SIGSTOP, a debugger. */
        STOPPED,
        /** It has ended without having removed the file: it was killed. */
        GONE,
        /** It has ended in order, since the file was opened. */
        ENDED
    }

    private static final Path MEMORY = Path.of("/dev/shm");
    private static final int POINTER_MAX = 300;
    private static final int STAT_STATE = 0;
    private static final int STAT_START = 19;

    private final Path path;
    private final FileChannel channel;

    private CountersFile(Path path, FileChannel channel) {
        this.path = path;
        this.channel = channel;
    }

    /**
     * The files of an instance: the running one's, and before it those of processes that another one has followed, and
     * which still end their transfers. Empty: there is none.
     *
     * @param directory of its socket
     * @throws IOException if one is there, and cannot be opened
     */
    public static List<CountersFile> open(Path directory, String name) throws IOException {
        List<Path> paths = new ArrayList<>();
        String own = "sendfiled." + name + ".counters";
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                if (isOfProcess(Names.text(Names.bytes(entry.getFileName())), own + ".")) {
                    paths.add(entry);
                }
            }
        } catch (NoSuchFileException e) {
            return List.of();
        }
        paths.sort(null);
        paths.add(Names.resolve(directory, own));
        List<CountersFile> files = new ArrayList<>();
        try {
            for (Path path : paths) {
                CountersFile file = open(path);
                if (file != null) {
                    files.add(file);
                }
            }
        } catch (IOException e) {
            for (CountersFile file : files) {
                file.close();
            }
            throw e;
        }
        return List.copyOf(files);
    }

    /** {@code sendfiled.NAME.counters.PID}. */
    private static boolean isOfProcess(String file, String begin) {
        return file.startsWith(begin)
                && file.length() > begin.length()
                && file.chars().skip(begin.length()).allMatch(c -> c >= '0' && c <= '9');
    }

    private static @Nullable CountersFile open(Path path) throws IOException {
        FileChannel channel = channel(path, null);
        if (channel == null) {
            return null;
        }
        Path elsewhere = named(channel);
        if (elsewhere == null) {
            return new CountersFile(path, channel);
        }
        channel.close();
        FileChannel other = channel(elsewhere, path);
        return other == null ? null : new CountersFile(elsewhere, other);
    }

    /** Opens a regular file; null if there is none. What another one names must be its owner's. */
    private static @Nullable FileChannel channel(Path path, @Nullable Path namedBy) throws IOException {
        try {
            PosixFileAttributes file = attributes(path);
            boolean isTrusted =
                    namedBy == null || file.owner().equals(attributes(namedBy).owner());
            if (!isTrusted || !file.isRegularFile()) {
                throw new IOException(Names.printable(path) + " is no file of counters");
            }
            return FileChannel.open(path, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    private static PosixFileAttributes attributes(Path path) throws IOException {
        return Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    }

    /** The file that this one names instead of having the counters; null: it has them. */
    private static @Nullable Path named(FileChannel channel) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(POINTER_MAX);
        channel.read(bytes, 0);
        String text = new String(bytes.array(), 0, bytes.position(), StandardCharsets.ISO_8859_1);
        if (!text.startsWith("/") || !text.endsWith("\n")) {
            return null;
        }
        Path path = Path.of(text.substring(0, text.length() - 1)).normalize();
        if (!path.startsWith(MEMORY)) {
            throw new IOException("names a file that is not in " + MEMORY);
        }
        return path;
    }

    /** Where it is. */
    public Path path() {
        return path;
    }

    /**
     * Reads all of it.
     *
     * @throws IOException if it is damaged, or of another version
     */
    public CountersReading read() throws IOException {
        try {
            return CountersReading.of(this::read);
        } catch (IOException e) {
            throw new IOException(Names.printable(path) + " " + e.getMessage(), e);
        }
    }

    private void read(long from, ByteBuffer into) throws IOException {
        long at = from;
        while (into.hasRemaining()) {
            int count = channel.read(into, at);
            if (count <= 0) {
                return;
            }
            at += count;
        }
    }

    /** What has become of the process that wrote what was read. A process of another pid namespace seems to be gone. */
    public static Writer writer(CountersReading reading) {
        if (reading.hasEnded()) {
            return Writer.ENDED;
        }
        try {
            String stat = Files.readString(Path.of("/proc/" + reading.pid() + "/stat"), StandardCharsets.ISO_8859_1);
            List<String> fields =
                    Arrays.asList(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1));
            String state = fields.get(STAT_STATE);
            if (Long.parseLong(fields.get(STAT_START)) != reading.processStart() || "ZX".contains(state)) {
                return Writer.GONE;
            }
            return "Tt".contains(state) ? Writer.STOPPED : Writer.RUNNING;
        } catch (IOException e) {
            return Writer.GONE;
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
