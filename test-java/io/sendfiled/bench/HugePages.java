package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Huge pages set aside for a measurement: those that the machine has, or as many more as root may ask for. Closing puts
 * {@code vm.nr_hugepages} back.
 *
 * <p>Owns that setting while it is open, if it had to raise it; also put back when the JVM ends before.
 */
final class HugePages implements AutoCloseable {
    private static final Path SETTING = Path.of("/proc/sys/vm/nr_hugepages");

    private final @Nullable String unavailable;
    private final String before;
    private final AtomicBoolean raised;

    private HugePages(@Nullable String unavailable, String before, boolean raised) {
        this.unavailable = unavailable;
        this.before = before;
        this.raised = new AtomicBoolean(raised);
    }

    /** Sets aside what is missing of so many bytes. May take a moment: the kernel moves other memory out of the way. */
    static HugePages of(long bytes) throws IOException {
        if (!Files.exists(SETTING)) {
            return without("this kernel has none");
        }
        long size = Machine.hugePageBytes();
        long needed = (bytes + size - 1) / size;
        String before = Files.readString(SETTING).strip();
        long missing = needed - Machine.freeHugePages();
        if (missing <= 0) {
            return new HugePages(null, before, false);
        }
        try {
            Files.writeString(SETTING, Long.toString(Long.parseLong(before) + missing));
        } catch (IOException e) {
            return without("vm.nr_hugepages is " + before + ", " + needed
                    + " free ones are needed, and only root can raise it");
        }
        HugePages pages = new HugePages(null, before, true);
        Runtime.getRuntime().addShutdownHook(new Thread(pages::putBackQuietly, "huge pages"));
        long free = Machine.freeHugePages();
        if (free < needed) {
            pages.close();
            return without("the kernel could set aside " + free + " of " + needed + " huge pages");
        }
        return pages;
    }

    private static HugePages without(String why) {
        return new HugePages(why, "0", false);
    }

    /** Why there are none; null if there are. */
    @Nullable
    String unavailable() {
        return unavailable;
    }

    boolean areThere() {
        return unavailable == null;
    }

    @Override
    public void close() throws IOException {
        if (raised.getAndSet(false)) {
            Files.writeString(SETTING, before);
        }
    }

    private void putBackQuietly() {
        try {
            close();
        } catch (IOException e) {
            System.err.println("bench: vm.nr_hugepages was " + before + ", and could not be put back: " + e);
        }
    }
}
