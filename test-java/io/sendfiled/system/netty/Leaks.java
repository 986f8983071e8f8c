package io.sendfiled.system.netty;

import io.netty.buffer.PooledByteBufAllocator;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** What Netty's leak detector reports, which it only logs: objects that the garbage collector has found unreleased. */
final class Leaks {
    private static final List<String> REPORTS = new CopyOnWriteArrayList<>();

    private static final Logger LOGGER =
            Logger.getLogger("io.netty.util.ResourceLeakDetector"); // kept: loggers are weak

    static {
        LOGGER.addHandler(new Handler() {
            @Override
            public void publish(LogRecord entry) {
                REPORTS.add(entry.getMessage());
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        });
    }

    /** All reports so far. It looks for unreleased objects when the next one is made. */
    List<String> found() {
        for (int i = 0; i < 3; i++) {
            System.gc();
            PooledByteBufAllocator.DEFAULT.directBuffer(1).release();
        }
        return List.copyOf(REPORTS);
    }
}
