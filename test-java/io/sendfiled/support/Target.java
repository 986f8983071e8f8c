package io.sendfiled.support;

import static io.sendfiled.support.Way.COPY_FILE_RANGE;
import static io.sendfiled.support.Way.MMAP;
import static io.sendfiled.support.Way.READ_WRITE;
import static io.sendfiled.support.Way.SENDFILE;
import static io.sendfiled.support.Way.SPLICE;

import java.io.IOException;
import java.nio.file.Path;

/**
 * Every kind of destination that there is, with the techniques that fit it: the table of README and manual, cell by cell.
 */
public enum Target {
    TCP(SENDFILE, SENDFILE, MMAP, READ_WRITE),
    TCP_BLOCKING(READ_WRITE, MMAP, READ_WRITE),
    UNIX(SENDFILE, SENDFILE, MMAP, READ_WRITE),
    UNIX_BLOCKING(READ_WRITE, MMAP, READ_WRITE),
    PIPE(SPLICE, SPLICE, MMAP, READ_WRITE),
    PIPE_NON_BLOCKING(SPLICE, SENDFILE, SPLICE, MMAP, READ_WRITE),
    FILE(COPY_FILE_RANGE, COPY_FILE_RANGE, SENDFILE, MMAP, READ_WRITE),
    FILE_AT_A_POSITION(COPY_FILE_RANGE, COPY_FILE_RANGE, SENDFILE, MMAP, READ_WRITE),
    FILE_FOR_APPENDING(READ_WRITE, MMAP, READ_WRITE),
    MEMORY_FILE(COPY_FILE_RANGE, COPY_FILE_RANGE, SENDFILE, MMAP, READ_WRITE),
    NULL_DEVICE(SENDFILE, SENDFILE, MMAP, READ_WRITE),
    TERMINAL(READ_WRITE, MMAP, READ_WRITE);

    private static final int SMALL = 32 * 1024;

    private final Way auto;
    private final int fits;

    Target(Way auto, Way... fitting) {
        this.auto = auto;
        fits = Way.mask(fitting);
    }

    /** The techniques that fit, bit by number. */
    public int fits() {
        return fits;
    }

    /** Whether a transfer by this technique is served; {@link Way#AUTO} always is. */
    public boolean takes(Way way) {
        return way == Way.AUTO || (fits & 1 << way.number()) != 0;
    }

    /** What a daemon with the standard rules chooses for a transfer of so many bytes. */
    public Way auto(long size) {
        return size <= SMALL ? READ_WRITE : auto;
    }

    /** Whether its bytes go to a file, on the disk pool. */
    public boolean isFile() {
        return switch (this) {
            case FILE, FILE_AT_A_POSITION, FILE_FOR_APPENDING, MEMORY_FILE -> true;
            default -> false;
        };
    }

    /**
     * Whether it is on another file system than the tests' files, so that the kernel may refuse copy_file_range(2), as
     * Linux does from 5.19 on.
     */
    public boolean isElsewhere() {
        return this == MEMORY_FILE;
    }

    /** Whether a receiver that does not read stops the transfer. */
    public boolean canBeFull() {
        return !isFile() && this != NULL_DEVICE;
    }

    /** Whether what is written can be read back. */
    public boolean keepsBytes() {
        return this != NULL_DEVICE;
    }

    /** Makes one in which nothing has arrived yet. */
    public TestDestination open(Path directory) throws IOException {
        return switch (this) {
            case TCP -> TestDestination.open(TestDestination.Type.TCP, directory);
            case TCP_BLOCKING -> TestDestination.open(TestDestination.Type.TCP_BLOCKING, directory);
            case UNIX -> TestDestination.open(TestDestination.Type.UNIX, directory);
            case UNIX_BLOCKING -> TestDestination.open(TestDestination.Type.UNIX_BLOCKING, directory);
            case PIPE -> TestDestination.open(TestDestination.Type.PIPE, directory);
            case PIPE_NON_BLOCKING -> TestDestination.nonBlockingPipe();
            case FILE -> TestDestination.open(TestDestination.Type.FILE, directory);
            case FILE_AT_A_POSITION -> TestDestination.fileWithContent(directory, false);
            case FILE_FOR_APPENDING -> TestDestination.fileWithContent(directory, true);
            case MEMORY_FILE -> TestDestination.memoryFile();
            case NULL_DEVICE -> TestDestination.nullDevice();
            case TERMINAL -> TestDestination.terminal();
        };
    }
}
