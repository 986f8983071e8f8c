package io.sendfiled.jni;

/**
 * Where in the memory of an engine's counters what is: {@code native/core/base/counters_file.h}. All else stands in the
 * head itself, so that a file is read without the library.
 *
 * <p>Constants.
 */
public final class CountersLayout {
    public static final int MAGIC_SIZE = 8;
    public static final int NAME_SIZE = 128;
    public static final int PATH_SIZE = 176;

    private static final Layout HEAD = new Layout("counters_head");
    public static final int MAGIC = HEAD.array("magic", MAGIC_SIZE, Byte.BYTES);
    public static final int VERSION = HEAD.i32("version");
    public static final int PID = HEAD.i32("pid");
    public static final int SIZE = HEAD.i64("size");
    public static final int PROCESS_START = HEAD.i64("process_start");
    public static final int STARTED_NS = HEAD.i64("started_ns");
    public static final int STARTED_EPOCH_NS = HEAD.i64("started_epoch_ns");
    public static final int STATE = HEAD.i32("state");
    public static final int QUEUES = HEAD.i32("queues");
    public static final int QUEUE_SIZE = HEAD.i32("queue_size");
    public static final int QUEUES_AT = HEAD.i32("queues_at");
    public static final int LOOPS = HEAD.i32("loops");
    public static final int LOOP_SIZE = HEAD.i32("loop_size");
    public static final int LOOPS_AT = HEAD.i32("loops_at");
    public static final int ROWS = HEAD.i32("rows");
    public static final int ROW_SIZE = HEAD.i32("row_size");
    public static final int ROWS_AT = HEAD.i32("rows_at");
    public static final int COUNTERS = HEAD.i32("counters");
    public static final int COUNTERS_AT = HEAD.i32("counters_at");
    public static final int OPERATIONS = HEAD.i32("operations");
    public static final int TECHNIQUES = HEAD.i32("techniques");
    public static final int OUTCOMES = HEAD.i32("outcomes");
    public static final int ERRNOS = HEAD.i32("errnos");
    public static final int REQUESTS_AT = HEAD.i32("requests_at");
    public static final int OUTCOMES_AT = HEAD.i32("outcomes_at");
    public static final int FLOWS_AT = HEAD.i32("flows_at");
    public static final int REFUSALS_AT = HEAD.i32("refusals_at");
    public static final int FAILURES_AT = HEAD.i32("failures_at");
    public static final int TIMES = HEAD.i32("times");
    public static final int HISTOGRAM_SIZE = HEAD.i32("histogram_size");
    public static final int HISTOGRAMS_AT = HEAD.i32("histograms_at");
    public static final int CELLS = HEAD.i32("cells");
    public static final int CELLS_AT = HEAD.i32("cells_at");
    public static final int TURNED_AT = HEAD.i32("turned_at");
    public static final int NAME = HEAD.array("name", NAME_SIZE, Byte.BYTES);
    public static final int DIRECTORY = HEAD.array("directory", NAME_SIZE, Byte.BYTES);

    private static final Layout QUEUE = new Layout("counters_queue");
    public static final int QUEUE_DEVICE = QUEUE.i64("device");
    public static final int QUEUE_BEGUN = QUEUE.i64("begun");
    public static final int QUEUE_DONE = QUEUE.i64("done");
    public static final int QUEUE_QUEUED = QUEUE.i64("queued");

    private static final Layout FLOW = new Layout("counters_flow");
    public static final int FLOW_TRANSFERS = FLOW.i64("transfers");
    public static final int FLOW_BYTES = FLOW.i64("bytes");
    public static final int FLOW_COLD_WINDOWS = FLOW.i64("cold_windows");

    private static final Layout ROW = new Layout("counters_row");
    public static final int ROW_SEQUENCE = ROW.i64("sequence");
    public static final int ROW_ID = ROW.i64("id");
    public static final int ROW_BEGUN_NS = ROW.i64("begun_ns");
    public static final int ROW_ASKED_NS = ROW.i64("asked_ns");
    public static final int ROW_FIRST_NS = ROW.i64("first_ns");
    public static final int ROW_BYTES = ROW.i64("size");
    public static final int ROW_MOVED = ROW.i64("moved");
    public static final int ROW_PID = ROW.i32("pid");
    public static final int ROW_UID = ROW.i32("uid");
    public static final int ROW_OPERATION = ROW.i8("operation");
    public static final int ROW_TECHNIQUE = ROW.i8("technique");
    public static final int ROW_WAITS_FOR = ROW.i8("waits_for");
    public static final int ROW_COLD = ROW.i8("cold");
    public static final int ROW_ENDED = ROW.i8("ended");
    public static final int ROW_PATH_LENGTH = ROW.skip(1).i16("path_length");
    public static final int ROW_PATH = ROW.array("path", PATH_SIZE, Byte.BYTES);

    static {
        HEAD.skip(4);
        ROW.skip(Long.BYTES);
    }

    /** Bytes of a queue and of a row, as they are known here. */
    public static final int QUEUE_BYTES = QUEUE.size();

    public static final int ROW_BYTES_OF_ALL = ROW.size();
    public static final int FLOW_LONGS = FLOW.size() / Long.BYTES;

    private CountersLayout() {}

    /**
     * Returns when the library has the same layout.
     *
     * @throws UnsatisfiedLinkError naming what differs
     */
    public static void check() {
        HEAD.check();
        QUEUE.check();
        FLOW.check();
        ROW.check();
    }
}
