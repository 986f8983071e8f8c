package io.sendfiled.system.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Clients that hold what the daemon's threads wait for in the kernel ({@code test-native/support/holder.c}), each a
 * process of its own.
 *
 * <p>Owns the processes, and the disk that they use. Closing lets go.
 */
final class Holders implements AutoCloseable {
    /** What is held, and how. */
    enum Attack {
        /** The mutex of a Read File's pipe, by splice(2) to a socket that nobody reads. */
        SPLICE("splice"),
        SPLICE_BEFORE_THE_REQUEST("splice", "--early"),
        SPLICE_TO_A_SLOW_READER("splice-slow"),
        SPLICE_AGAIN_AND_AGAIN("splice", "--hold-ms=50"),
        /** The same, by read(2) into memory of a disk that does not answer. */
        READ("read"),
        READ_BEFORE_THE_REQUEST("read", "--early"),
        /** The lock of a TCP socket, by recv(2) into such memory. */
        RECEIVE("socket"),
        RECEIVE_BEFORE_THE_REQUEST("socket", "--early"),
        /** The same of one that sendfile(2) does not fit. */
        RECEIVE_FROM_BLOCKING("socket-blocking", "--early"),
        /** Pages of a slow disk, dropped before they are sent. */
        EVICT("evict"),
        /** A permission event that is answered late, as an antivirus does. */
        PERMISSION("fanotify", "--hold-ms=60000");

        private final String kind;
        private final String option;

        Attack(String kind) {
            this(kind, "");
        }

        Attack(String kind, String option) {
            this.kind = kind;
            this.option = option;
        }

        /** Whether the kernel lets a process end that waits for it. */
        boolean isKillable() {
            return this == EVICT || this == PERMISSION;
        }

        /** Whether each client has one transfer and no more. */
        boolean isOneTransfer() {
            return this != EVICT && this != PERMISSION;
        }

        private boolean usesDisk() {
            return switch (kind) {
                case "read", "socket", "socket-blocking", "evict" -> true;
                default -> false;
            };
        }
    }

    /** How their transfers ended. */
    record Ends(int complete, int failed, int aborted, int unfinished, int wrong) {}

    private static final int BIG = 16 << 20;
    private static final int EVICTED = 256 << 10;
    private static final int DEAD = 1 << 20; // a page for each client
    private static final String READ_MS = "50";

    /** So long a test waits for what the daemon owes its other clients, and more. */
    private static final int SECONDS = 50;

    private final Process process;
    private final BufferedReader output;
    private final @Nullable HeldDisk disk;

    private Holders(Process process, @Nullable HeldDisk disk) {
        this.process = process;
        this.disk = disk;
        output = process.inputReader(StandardCharsets.US_ASCII);
    }

    /** Skips the test where this machine or user cannot have that. */
    static void assumePossible(Attack attack) {
        if (attack.usesDisk()) {
            assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        }
        assumeTrue(attack != Attack.PERMISSION || Program.ROOT, "permission events of fanotify(7) are root's");
    }

    /** Returns when all of them hold. Blocks. */
    static Holders start(Attack attack, TestDaemon daemon, int clients) throws IOException {
        Path root = daemon.root();
        List<Object> options = new ArrayList<>(List.of("--kind", attack.kind));
        if (!attack.option.isEmpty()) {
            options.add(attack.option);
        }
        options.addAll(List.of("--socket", daemon.socket(), "--clients", clients, "--seconds", SECONDS));
        HeldDisk disk = attack.usesDisk() ? mount(attack, daemon) : null;
        switch (attack) {
            case EVICT ->
                options.addAll(List.of(
                        "--path",
                        "disk/evicted",
                        "--file",
                        root.resolve("disk/evicted"),
                        "--reference",
                        behind(daemon).resolve("evicted")));
            case PERMISSION -> {
                Content.write(root.resolve("scanned"), 4096);
                options.addAll(List.of("--path", "scanned", "--file", root.resolve("scanned")));
                options.addAll(List.of("--pid", daemon.pid()));
            }
            default -> {
                Content.write(root.resolve("big"), BIG);
                options.addAll(List.of("--path", "big", "--file", root.resolve("big")));
                options.addAll(List.of("--dead", daemon.directory().resolve("dead/dead")));
            }
        }
        Process process = new ProcessBuilder(HelperProgram.command("holder", options.toArray()))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        Holders holders = new Holders(process, disk);
        boolean held = false;
        try {
            String line = holders.output.readLine();
            assumeTrue(line == null || !line.startsWith("not possible"), line);
            assertEquals("held " + clients, line);
            held = true;
            return holders;
        } finally {
            if (!held) {
                holders.close();
            }
        }
    }

    private static Path behind(TestDaemon daemon) {
        return daemon.directory().resolve("behind");
    }

    private static HeldDisk mount(Attack attack, TestDaemon daemon) throws IOException {
        Path behind = Files.createDirectories(behind(daemon));
        if (attack == Attack.EVICT) {
            Content.write(behind.resolve("evicted"), EVICTED);
            return HeldDisk.mount(daemon.root().resolve("disk"), behind, "nothing", "--read-ms", READ_MS);
        }
        Content.write(behind.resolve("dead"), DEAD);
        return HeldDisk.mount(daemon.directory().resolve("dead"), behind, "dead");
    }

    /** Lets go, waits for the end of their transfers and tells how that was. */
    Ends release() throws IOException {
        letGo();
        String line = output.readLine();
        JsonObject ends = JsonParser.parseString(line == null ? "" : line).getAsJsonObject();
        return new Ends(
                ends.get("complete").getAsInt(),
                ends.get("failed").getAsInt(),
                ends.get("aborted").getAsInt(),
                ends.get("unfinished").getAsInt(),
                ends.get("wrong").getAsInt());
    }

    private void letGo() throws IOException {
        if (disk != null) {
            disk.release();
        }
        process.getOutputStream().close();
    }

    @Override
    public void close() throws IOException {
        try {
            letGo();
        } finally {
            process.destroyForcibly(); // its clients end with it
            if (disk != null) {
                disk.close();
            }
        }
    }
}
