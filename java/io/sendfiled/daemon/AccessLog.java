package io.sendfiled.daemon;

import io.sendfiled.engine.RecordSink;
import io.sendfiled.engine.RecordWords;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.jni.Records;
import io.sendfiled.names.LogText;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.concurrent.TimeUnit;

/**
 * The access log: a line for each request that is over, in the order in which it was told of them.
 *
 * <p>Lines are made on the journal's thread, and written by a thread of this class, to which they go in one piece: a disk
 * that is slow, or dead, holds that one alone. Meanwhile a mebibyte of lines is kept; what comes beyond is lost, as is what
 * the disk does not take, and counted. What is said about that is said when it begins and when it is over.
 *
 * <p>The file can be renamed at any time. After {@link #reopen} lines go to the file that has the name then, which is made
 * if there is none; no line is lost by that, and each is in one of the two files as a whole.
 */
final class AccessLog implements RecordSink, AutoCloseable {
    private static final int MODE = 0640;

    /** Characters that wait for the thread that writes. */
    private static final int ROOM = 1 << 20;

    /** While that is at work, it is asked so often whether it takes more. */
    private static final int RETRY_MS = 10;

    private static final int LATER = -1;

    private final byte[] path;
    private final String name;
    private final ProgramLog.Format format;
    private final ProgramLog log;
    private final Thread thread;

    /* The journal's. */
    private StringBuilder lines = new StringBuilder();
    private long count; // of those lines
    private long lost; // since they were taken last: they had no room
    private long second = Long.MIN_VALUE; // for which `prefix` is
    private String prefix = "";
    private long clockNs; // what a record's time has to be added to, to give nanoseconds since the epoch
    private boolean clockIsSet;

    /* Under the lock of this. */
    private StringBuilder given = new StringBuilder(); // for the thread, empty: it has nothing
    private long givenCount;
    private long givenLost;
    private boolean writing;
    private boolean reopening;
    private boolean closed;

    /* The thread's. */
    private FileChannel file;
    private boolean isCut; // the last line in the file is not whole
    private long missing; // lines that are lost, of which the end was not said yet

    private volatile boolean isLossTold; // and its end is not

    private AccessLog(Path path, ProgramLog.Format format, ProgramLog log, FileChannel file) {
        this.path = Names.bytes(path);
        this.format = format;
        this.log = log;
        this.file = file;
        name = Names.printable(path);
        thread = new Thread(this::write, "sendfiled-access-log");
        thread.setDaemon(true);
    }

    /**
     * Opens the file, and makes it if it is missing. May wait for a disk. The thread is started by {@link #start}.
     *
     * @param log is told when lines are lost
     */
    static AccessLog open(Path path, ProgramLog.Format format, ProgramLog log) throws StartException {
        try {
            return new AccessLog(path, format, log, channel(Names.bytes(path)));
        } catch (IOException e) {
            int errno = Errno.of(e);
            throw new StartException(errno, Names.printable(path) + ": " + reason(errno), e);
        }
    }

    private static String reason(int errno) {
        return Errno.describe(errno) + (errno == Errno.EEXIST ? ": it is not a regular file of this user's" : "");
    }

    private static FileChannel channel(byte[] path) throws IOException {
        int fd = Errno.check(ProcessNative.openLog(path, MODE), "open");
        return new FileOutputStream(Descriptors.ofNumber(fd)).getChannel(); // which closes it
    }

    /** Starts the thread that writes; once, after the sandbox is there. */
    void start() {
        thread.start();
    }

    /** From here on lines go to the file that has the name now. Any thread; waits for nothing. */
    void reopen() {
        synchronized (this) {
            reopening = true;
            notifyAll();
        }
    }

    // ------------------------------------------------------------------ the journal's thread

    @Override
    public int kinds() {
        return Records.REFUSED | Records.FAILED | Records.DONE | Records.CANCELLED;
    }

    @Override
    public void take(Records record) {
        if (lines.length() >= ROOM && !give()) {
            lost++;
            tellLoss("the disk is too slow"); // here: the other thread may wait for it
            return;
        }
        if (!clockIsSet) {
            clockNs = TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis()) - System.nanoTime();
            clockIsSet = true;
        }
        if (format == ProgramLog.Format.JSON) {
            json(record);
        } else {
            text(record);
        }
        lines.append('\n');
        count++;
    }

    @Override
    public int flush(long nowNs) {
        clockIsSet = false; // it is looked at again for the next records: somebody may set it
        return (count == 0 && lost == 0) || give() ? LATER : RETRY_MS;
    }

    /** Gives the lines to the thread, if it has none. */
    private boolean give() {
        synchronized (this) {
            if (givenCount > 0 || writing) {
                return false;
            }
            StringBuilder empty = given;
            given = lines;
            givenCount = count;
            givenLost += lost;
            lines = empty;
            notifyAll();
        }
        count = 0;
        lost = 0;
        return true;
    }

    private void text(Records record) {
        time(record);
        String id = RecordWords.id(record);
        lines.append(' ').append(id == null ? "-" : id);
        lines.append(' ').append(record.pid());
        lines.append(' ').append(Integer.toUnsignedString(record.uid()));
        lines.append(' ').append(RecordWords.operation(record)).append(' ');
        if (record.pathLength() == 0) {
            lines.append('-');
        } else {
            if (record.isPathCut()) {
                lines.append("...");
            }
            LogText.quote(lines, record.path());
        }
        lines.append(' ').append(record.bytes()).append('/');
        number(record.size());
        lines.append(' ').append(RecordWords.status(record)).append(record.isCold() ? " cold " : " warm ");
        number(micros(RecordWords.firstByteNs(record)));
        lines.append(' ');
        number(micros(RecordWords.totalNs(record)));
        String technique = RecordWords.technique(record);
        lines.append(' ').append(technique == null ? "-" : technique);
    }

    private void number(long value) {
        if (value < 0) {
            lines.append('-');
        } else {
            lines.append(value);
        }
    }

    private void json(Records record) {
        lines.append("{\"time\":\"");
        time(record);
        lines.append('"');
        String id = RecordWords.id(record);
        if (id != null) {
            LogText.member(lines, "id", id);
        }
        LogText.member(lines, "pid", record.pid());
        LogText.member(lines, "uid", Integer.toUnsignedLong(record.uid()));
        LogText.member(lines, "operation", RecordWords.operation(record));
        if (record.pathLength() > 0) {
            LogText.member(lines, record.isPathCut() ? "path_end" : "path", Names.text(record.path()));
        }
        LogText.member(lines, "bytes", record.bytes());
        member("size", record.size());
        LogText.member(lines, "status", RecordWords.status(record));
        LogText.member(lines, "cold", record.isCold());
        member("first_byte_us", micros(RecordWords.firstByteNs(record)));
        member("total_us", micros(RecordWords.totalNs(record)));
        String technique = RecordWords.technique(record);
        if (technique != null) {
            LogText.member(lines, "technique", technique);
        }
        lines.append('}');
    }

    private void member(String key, long value) {
        if (value >= 0) {
            LogText.member(lines, key, value);
        }
    }

    private static long micros(long ns) {
        return ns < 0 ? ns : TimeUnit.NANOSECONDS.toMicros(ns);
    }

    /** When it was over, by the clock, with milliseconds. */
    private void time(Records record) {
        long ms = TimeUnit.NANOSECONDS.toMillis(clockNs + record.endedNs());
        long at = Math.floorDiv(ms, 1000L);
        if (at != second) {
            second = at;
            String instant = Instant.ofEpochSecond(at).toString();
            prefix = instant.substring(0, instant.length() - 1); // without the Z
        }
        int rest = (int) Math.floorMod(ms, 1000L);
        lines.append(prefix)
                .append(rest < 10 ? ".00" : rest < 100 ? ".0" : ".")
                .append(rest)
                .append('Z');
    }

    // ------------------------------------------------------------------ the thread that writes

    private void write() {
        boolean goesOn = true;
        while (goesOn) {
            StringBuilder batch;
            long batchCount;
            long batchLost;
            boolean opens;
            synchronized (this) {
                while (givenCount == 0 && givenLost == 0 && !reopening && !closed) {
                    try {
                        wait();
                    } catch (InterruptedException e) {
                        return; // nobody does that
                    }
                }
                batch = given;
                batchCount = givenCount;
                batchLost = givenLost;
                opens = reopening;
                writing = true;
                reopening = false;
                givenCount = 0;
                givenLost = 0;
                goesOn = !closed;
            }
            if (opens) {
                openAnew();
            }
            if (batchLost > 0) {
                miss(batchLost, "the disk is too slow");
            }
            if (batchCount > 0) {
                write(batch, batchCount);
            }
            synchronized (this) {
                batch.setLength(0);
                writing = false;
                notifyAll();
            }
        }
    }

    private void openAnew() {
        try {
            FileChannel next = channel(path);
            FileChannel last = file;
            file = next;
            isCut = false;
            last.close();
        } catch (IOException e) {
            say(
                    System.Logger.Level.ERROR,
                    "the access log cannot be opened anew, and goes on where it was: " + name + ": "
                            + reason(Errno.of(e)));
        }
    }

    private void write(StringBuilder batch, long batchCount) {
        byte[] bytes = {};
        ByteBuffer left = ByteBuffer.wrap(bytes);
        try {
            bytes = batch.toString().getBytes(StandardCharsets.UTF_8); // half a pair is an escape
            left = ByteBuffer.wrap(bytes);
            if (isCut) {
                file.write(ByteBuffer.wrap(new byte[] {'\n'}));
                isCut = false;
            }
            while (left.hasRemaining()) {
                file.write(left);
            }
            if (missing > 0) {
                say(
                        System.Logger.Level.WARNING,
                        "the access log is written again: " + missing + (missing == 1 ? " line is" : " lines are")
                                + " missing in " + name);
                missing = 0;
                isLossTold = false;
            }
        } catch (Throwable t) { // of the disk; or no memory, which must not end this thread
            int written = left.position();
            isCut = isCut || (written > 0 && bytes[written - 1] != '\n');
            long whole = 0;
            for (int i = 0; i < written; i++) {
                whole += bytes[i] == '\n' ? 1 : 0;
            }
            miss(batchCount - whole, String.valueOf(t.getMessage()));
        }
    }

    private void miss(long more, String reason) {
        tellLoss(reason);
        missing += more;
    }

    /** Once, until it is over. */
    private void tellLoss(String reason) {
        if (!isLossTold) {
            isLossTold = true;
            say(System.Logger.Level.ERROR, "lines of the access log are lost: " + name + ": " + reason);
        }
    }

    private void say(System.Logger.Level level, String message) {
        log.log(level, message);
    }

    // ------------------------------------------------------------------ the end

    /** Writes what it has been given, if the disk takes it within a second, and closes the file. After the engine's end. */
    @Override
    public void close() {
        awaitRoom();
        give();
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        join();
        if (!thread.isAlive()) {
            finish();
        }
    }

    private synchronized void awaitRoom() {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(1);
        try {
            while ((givenCount > 0 || writing) && thread.isAlive() && end - System.nanoTime() > 0) {
                wait(Math.max(1, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime())));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void join() {
        try {
            thread.join(TimeUnit.SECONDS.toMillis(1));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void finish() {
        if (missing > 0) {
            say(System.Logger.Level.WARNING, missing + " lines are missing in the access log " + name);
        }
        try {
            file.close();
        } catch (IOException e) {
            say(System.Logger.Level.ERROR, "the access log " + name + " may not be whole: " + e.getMessage());
        }
    }
}
