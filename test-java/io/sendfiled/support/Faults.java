package io.sendfiled.support;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;

/**
 * Makes system calls and allocations of a native library fail, in a process that has the fault shim preloaded: {@code
 * test-native/faults}, whose faults.h draws the page that both have mapped.
 *
 * <p>One order at a time, at any time while the process runs.
 */
public final class Faults {
    /** The daemon's library. */
    public static final String ENGINE = "libsendfiled-jni.so";

    /** The C client library. */
    public static final String CLIENT = "libsendfiled.so.1";

    /** The JVM, whose threads cannot be started when {@code pthread_create} fails. */
    public static final String JVM = "libjvm.so";

    /** Instead of an errno: the call moves less than it was asked to. */
    public static final int SHORT = -1;

    /** The one call that is none: malloc, calloc, realloc, strdup. Whatever the errno, they give NULL. */
    public static final String ALLOCATION = "alloc";

    private static final int VERSION = 1;
    private static final int CALLS = 64;
    private static final int NAME_BYTES = 16;

    private static final int AT_VERSION = 0;
    private static final int AT_GENERATION = 4;
    private static final int AT_CALL = 8;
    private static final int AT_ERROR = 12;
    private static final int AT_FIRST = 16;
    private static final int AT_EVERY = 20;
    private static final int AT_LIMIT = 24;
    private static final int AT_SEEN = 32;
    private static final int AT_FAILED = 40;
    private static final int AT_PLACE = 48;
    private static final int AT_COUNTS = 64;
    private static final int AT_NAMES = AT_COUNTS + 8 * CALLS;
    private static final int SIZE = AT_NAMES + NAME_BYTES * CALLS;

    private static final VarHandle INT = MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.nativeOrder());
    private static final VarHandle LONG = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

    private final Path file;
    private final String library;
    private final ByteBuffer page;
    private final Map<String, Integer> calls = new HashMap<>();
    private int generation;

    private Faults(Path file, String library, ByteBuffer page) {
        this.file = file;
        this.library = library;
        this.page = page;
    }

    /** Makes the page for processes that are started with {@link #environment}. */
    public static Faults of(Path directory, String library) throws IOException {
        return map(Files.createTempFile(directory, "faults", ""), library);
    }

    /** The page of this process, which was started with {@link #environment}: its own calls fail. */
    public static Faults ofThisProcess() throws IOException {
        return map(Path.of(System.getenv("SENDFILED_FAULTS")), System.getenv("SENDFILED_FAULTS_TARGET"));
    }

    private static Faults map(Path file, String library) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer page =
                    channel.map(FileChannel.MapMode.READ_WRITE, 0, SIZE).order(ByteOrder.nativeOrder());
            return new Faults(file, library, page);
        }
    }

    /** Where the shim is; it is not built where everything is sanitized. */
    public static Path shim() {
        return HelperProgram.path("../lib/libsendfiled_faults.so").normalize();
    }

    /** What a process needs in its environment. */
    public Map<String, String> environment() {
        return Map.of(
                "LD_PRELOAD", shim().toString(),
                "SENDFILED_FAULTS", file.toString(),
                "SENDFILED_FAULTS_TARGET", library);
    }

    /** Whether a process with the shim has been started. */
    public boolean isAttached() {
        return (int) INT.getVolatile(page, AT_VERSION) == VERSION;
    }

    /**
     * Which calls of a kind fail.
     *
     * @param first the first one that does, from 1 on
     * @param every how many further on the next one; 0: no other
     * @param limit most that fail; 0: as many as come
     */
    public record Pattern(int first, int every, int limit) {
        public static final Pattern NEVER = new Pattern(0, 0, 0);
        public static final Pattern FIRST = nth(1);
        public static final Pattern SECOND = nth(2);
        public static final Pattern ALWAYS = from(1);
        public static final Pattern EVERY_THIRD = new Pattern(3, 3, 0);

        /** As when memory is short for a moment. */
        public static final Pattern TWENTY_IN_A_ROW = new Pattern(1, 1, 20);

        /** The nth one and all behind it. */
        public static Pattern from(int n) {
            return new Pattern(n, 1, 0);
        }

        public static Pattern nth(int n) {
            return new Pattern(n, 0, 0);
        }
    }

    /** Gives an order, from now on. */
    public void give(String call, int error, Pattern pattern) {
        clear();
        page.putInt(AT_CALL, number(call));
        page.putInt(AT_ERROR, error);
        // The first call is number 1, so nothing fails if none is to be the first.
        page.putInt(AT_FIRST, pattern.first() == 0 ? -1 : pattern.first());
        page.putInt(AT_EVERY, pattern.every());
        page.putInt(AT_LIMIT, pattern.limit());
        LONG.setVolatile(page, AT_SEEN, 0L);
        LONG.setVolatile(page, AT_FAILED, 0L);
        LONG.setVolatile(page, AT_PLACE, 0L);
        INT.setVolatile(page, AT_GENERATION, ++generation);
    }

    /** From now on nothing fails. */
    public void clear() {
        INT.setVolatile(page, AT_GENERATION, 0);
    }

    /** How many calls of the order have failed. */
    public long failed() {
        return (long) LONG.getVolatile(page, AT_FAILED);
    }

    /** Where in the library the last one was called, for addr2line(1). */
    public String place() {
        return library + "+0x" + Long.toHexString((long) LONG.getVolatile(page, AT_PLACE));
    }

    /** How many calls of a kind there were while some order was given. */
    public long count(String call) {
        return (long) LONG.getVolatile(page, AT_COUNTS + 8 * number(call));
    }

    private int number(String call) {
        if (calls.isEmpty()) {
            if (!isAttached()) {
                throw new IllegalStateException("no process with " + shim() + " has been started");
            }
            for (int i = 0; i < CALLS; i++) {
                calls.put(name(i), i);
            }
        }
        Integer number = calls.get(call);
        if (number == null || call.isEmpty()) {
            throw new IllegalArgumentException("the shim does not know " + call);
        }
        return number;
    }

    private String name(int i) {
        byte[] bytes = new byte[NAME_BYTES];
        page.get(AT_NAMES + i * NAME_BYTES, bytes);
        int length = 0;
        while (length < NAME_BYTES && bytes[length] != 0) {
            length++;
        }
        return new String(bytes, 0, length, StandardCharsets.US_ASCII);
    }
}
