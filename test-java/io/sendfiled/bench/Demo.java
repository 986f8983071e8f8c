package io.sendfiled.bench;

import io.sendfiled.bench.Screen.Cell;
import io.sendfiled.bench.Screen.Column;
import io.sendfiled.bench.Screen.Tone;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * {@code ./dev demo}: a daemon serves real files to a pipe, a UNIX socket, a TCP socket and into memory, and every byte is
 * checked.
 *
 * <p>Under a minute; everything on loopback. Exit status 0 only if all went as it should.
 */
public final class Demo {
    private record DemoFile(String name, long size, String sha256) {
        String shortHash() {
            return sha256.substring(0, 5);
        }
    }

    private interface RouteMaker {
        Route make() throws IOException;
    }

    private record Destination(String title, String channel, RouteMaker routes) {}

    private static final String INSTANCE = "demo";
    private static final String FORBIDDEN = "../../etc/shadow";
    private static final String SLOW = "slow";
    private static final String COLD = "cold.bin";
    private static final long KIB = 1024;
    private static final long MIB = 1024 * KIB;
    private static final long GIB = 1024 * MIB;
    /** Smaller transfers are over before a throughput means anything: they show their time. */
    private static final long SMALLEST_FOR_THROUGHPUT = 64 * MIB;
    /** What auto takes for small; the daemon's rule, as in its mover. */
    private static final long SMALL_FOR_AUTO = 32 * KIB;

    private static final long COLD_SIZE = 4 * MIB;
    /** Of a disk that nobody slows down. */
    private static final long COLD_SIZE_ON_A_REAL_DISK = 64 * MIB;

    private static final int ENOUGH_FOR_A_MEDIAN = 20;
    private static final long READ_MS = 20;
    private static final int THROUGHPUT_ROUNDS = 3;
    private static final int WARM_UP = 2000;

    private static final List<Column> COLUMNS = List.of(
            Column.left("operation", 16),
            Column.right("size", 7),
            Column.left("technique", 10),
            Column.right("speed", 10),
            Column.right("bare loop", 10),
            Column.right("ratio", 6),
            Column.left("SHA-256", 7));

    private final Screen screen;
    private final Programs programs;
    private final LoadClient load;
    private final Path work;
    private final List<String> problems = new ArrayList<>();
    private int checkedTransfers;
    private long checkedBytes;
    private double bigTcpSpeed;
    private double bigTcpRatio = Double.NaN;
    private String bigSize = "";

    private Demo(Screen screen, Programs programs, Path work) {
        this.screen = screen;
        this.programs = programs;
        this.load = new LoadClient(programs);
        this.work = work;
    }

    /** No arguments. */
    public static void main(String[] args) throws IOException, InterruptedException {
        Path work = Programs.workDirectory("demo");
        Demo demo = new Demo(Screen.onStandardOutput(), Programs.fromSystemProperties(), work);
        System.exit(demo.run() ? 0 : 1);
    }

    private boolean run() throws InterruptedException {
        long start = System.nanoTime();
        screen.blank();
        screen.title("sendfiled", "a daemon that serves files, and never makes anybody wait for a disk");
        screen.blank();
        try {
            show();
        } catch (IOException | TimeoutException e) {
            problems.add(Objects.requireNonNullElse(e.getMessage(), e.toString()));
        }
        summarize(System.nanoTime() - start);
        return problems.isEmpty();
    }

    private void show() throws IOException, InterruptedException, TimeoutException {
        Path root = work.resolve("files");
        List<DemoFile> files = makeFiles(root);
        Path sockets = Files.createTempDirectory("sfd-demo");
        Path recording = sockets.resolve("daemon.jfr");
        DemoOperating operating =
                new DemoOperating(screen, List.of(programs.sfd().toString()));
        try (@Nullable SlowDisk disk = mountSlowDisk(root)) {
            long start = System.nanoTime();
            screen.working("starting the daemon");
            try (Server server = Server.startDaemon(
                            programs, INSTANCE, root, sockets, DemoOperating.recordingTo(recording));
                    Server bare = Server.startBare(programs, "blocking", root, sockets)) {
                screen.step(
                        "daemon started",
                        "pid " + server.pid() + ", ready after " + Units.micros((System.nanoTime() - start) / 1e3)
                                + screen.paint(
                                        Tone.FAINT, "  …/" + server.socket().getFileName()));
                try (SendfiledClient client = SendfiledClient.connect(sockets, INSTANCE)) {
                    warmUp(client, files.get(0));
                    showTransfers(client, files, server, bare, sockets);
                    screen.blank();
                    showCold(client, files.get(0), disk, root);
                    DemoFile middle = files.get(2);
                    new DemoMemory(screen, programs).show(client, middle.name(), middle.sha256(), sockets);
                    showRefusal(client);
                    operating.showFromOutside(client, middle.name(), sockets, INSTANCE);
                }
                stop(server);
                operating.showRecording(recording);
            }
        } finally {
            Files.deleteIfExists(root.resolve(SLOW));
            Bench.deleteTree(sockets);
        }
    }

    // ---- files ----

    private List<DemoFile> makeFiles(Path root) throws IOException {
        long start = System.nanoTime();
        Files.createDirectories(root);
        long biggest = biggestSize(root);
        List<DemoFile> files = new ArrayList<>();
        long total = 0;
        for (long size : new long[] {4 * KIB, MIB, 64 * MIB, biggest}) {
            String name = Units.size(size).replace(" ", "") + ".bin";
            screen.working("making " + name + " of random bytes and its SHA-256");
            files.add(new DemoFile(name, size, sha256(TestFiles.file(root, name, size))));
            total += size;
        }
        bigSize = Units.size(biggest);
        screen.step(
                "files made",
                "4 KiB, 1 MiB, 64 MiB, " + bigSize + " of random bytes, hashed: " + Units.size(total) + " in "
                        + Units.seconds(System.nanoTime() - start));
        return files;
    }

    /** 1 GiB, or less where that would not stay in the page cache or on the disk. */
    static long biggestSize(Path directory) throws IOException {
        // Not Files.getFileStore: it wants to know the mount, and a chroot may see none.
        long room = Math.min(availableMemory() / 2, directory.toFile().getUsableSpace() / 2 + existingSize(directory));
        return room >= GIB ? GIB : room >= 256 * MIB ? 256 * MIB : 128 * MIB;
    }

    private static long existingSize(Path directory) throws IOException {
        Path file = directory.resolve("1GiB.bin");
        return Files.exists(file) ? Files.size(file) : 0;
    }

    private static long availableMemory() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
            if (line.startsWith("MemAvailable:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) * KIB;
            }
        }
        return GIB;
    }

    static MessageDigest newDigest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }

    private static String sha256(Path file) throws IOException {
        MessageDigest digest = newDigest();
        ByteBuffer buffer = ByteBuffer.allocateDirect((int) MIB);
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            while (in.read(buffer) >= 0) {
                digest.update(buffer.flip());
                buffer.clear();
            }
        }
        return hex(digest);
    }

    private static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }

    // ---- transfers ----

    /** Both JVMs compile what they run often; neither side's first requests say much. */
    private void warmUp(SendfiledClient client, DemoFile small)
            throws IOException, InterruptedException, TimeoutException {
        screen.working("warming up");
        try (Route route = Route.pipe()) {
            for (int i = 0; i < WARM_UP; i++) {
                route.transfer(client, small.name(), small.size(), null);
            }
        }
        screen.step("client connected", "warmed up with " + Units.format("%,d", WARM_UP) + " small reads");
        screen.blank();
    }

    private void showTransfers(SendfiledClient client, List<DemoFile> files, Server daemon, Server limit, Path sockets)
            throws IOException, InterruptedException, TimeoutException {
        screen.header(COLUMNS);
        for (Destination destination : List.of(
                new Destination("Read File → pipe", "pipe", Route::pipe),
                new Destination("Send File → UNIX", "unix", () -> Route.unixSocket(sockets)),
                new Destination("Send File → TCP", "tcp", Route::tcpSocket))) {
            String title = destination.title();
            for (DemoFile file : files) {
                screen.working(destination.title() + ", " + Units.size(file.size()));
                showTransfer(client, destination, file, daemon, limit, title);
                title = "";
            }
        }
    }

    private void showTransfer(
            SendfiledClient client,
            Destination destination,
            DemoFile file,
            Server daemon,
            Server bareLoop,
            String title)
            throws IOException, InterruptedException, TimeoutException {
        MessageDigest digest = newDigest();
        try (Route route = destination.routes().make()) {
            route.transfer(client, file.name(), file.size(), digest);
        }
        boolean right = hex(digest).equals(file.sha256());
        checkedTransfers++;
        checkedBytes += file.size();
        if (!right) {
            problems.add(destination.title() + ", " + file.name() + ": wrong bytes");
        }

        Cell speed;
        Cell bare = Cell.faint("");
        Cell ratio = Cell.faint("");
        if (file.size() < SMALLEST_FOR_THROUGHPUT) {
            double[] times = new double[file.size() < MIB ? 500 : 50];
            try (Route route = destination.routes().make()) {
                for (int i = 0; i < times.length; i++) {
                    times[i] = route.transfer(client, file.name(), file.size(), null) / 1e3;
                }
            }
            speed = Cell.of(Units.micros(Units.median(times)));
        } else {
            double[] ours = new double[THROUGHPUT_ROUNDS];
            double[] limit = new double[THROUGHPUT_ROUNDS];
            for (int i = 0; i < THROUGHPUT_ROUNDS; i++) { // alternating: a drifting machine drifts for both
                limit[i] = load.throughput(bareLoop, destination.channel(), file.name(), 1);
                ours[i] = load.throughput(daemon, destination.channel(), file.name(), 1); // by the same receiver
            }
            double median = Units.median(ours);
            double of = median / Units.median(limit);
            speed = Cell.of(Units.megabytesPerSecond(median));
            bare = Cell.faint(Units.megabytesPerSecond(Units.median(limit)));
            ratio = new Cell(Units.ratio(of), of >= 0.85 ? Tone.GOOD : Tone.WARN);
            bigTcpSpeed = median; // the last row is the biggest file over TCP
            bigTcpRatio = of;
        }
        screen.row(
                COLUMNS,
                List.of(
                        Cell.of(title),
                        Cell.of(Units.size(file.size())),
                        Cell.faint(technique(destination.channel(), file.size())),
                        speed,
                        bare,
                        ratio,
                        right ? new Cell("✓ " + file.shortHash(), Tone.GOOD) : new Cell("✗ WRONG", Tone.BAD)));
    }

    /** Protocol version 1 does not tell which technique was used; this is the rule of the daemon's "auto". */
    private static String technique(String channel, long size) {
        if (size <= SMALL_FOR_AUTO) {
            return "read-write";
        }
        return channel.equals("pipe") ? "splice" : "sendfile";
    }

    // ---- cold ----

    private @Nullable SlowDisk mountSlowDisk(Path root) throws IOException, InterruptedException {
        Path sources = work.resolve("slow-source");
        String missing = SlowDisk.unavailableBecause(programs);
        if (!missing.isEmpty()) {
            screen.warn("no slow disk", missing + ": the cold file comes from the real one");
            return null;
        }
        screen.working("mounting a slow disk");
        TestFiles.file(sources, COLD, COLD_SIZE);
        SlowDisk disk = SlowDisk.mount(programs, root.resolve(SLOW), sources, READ_MS);
        screen.step("slow disk mounted", "FUSE, " + READ_MS + " ms before every read of 128 KiB");
        return disk;
    }

    /** A cold file on its way, and small warm ones beside it. */
    private void showCold(SendfiledClient client, DemoFile small, @Nullable SlowDisk disk, Path root)
            throws IOException, InterruptedException, TimeoutException {
        screen.working("reading a cold file, and warm ones beside it");
        long size = disk == null ? COLD_SIZE_ON_A_REAL_DISK : COLD_SIZE;
        Path source = TestFiles.file(disk == null ? root : work.resolve("slow-source"), COLD, size);
        String expected = sha256(source);
        String path = disk == null ? COLD : SLOW + "/" + COLD;
        Path file = disk == null ? source : disk.mountPoint().resolve(COLD);
        TestFiles.flush(source);
        try {
            SlowDisk.makeCold(programs, List.of(file));
        } catch (IOException e) {
            screen.warn("not cold", String.valueOf(e.getMessage())); // of a file system without a disk
        }
        try (Route route = Route.pipe()) {
            double[] alone = new double[1000];
            for (int i = 0; i < alone.length; i++) {
                alone[i] = route.transfer(client, small.name(), small.size(), null) / 1e3;
            }
            AtomicReference<@Nullable Exception> failure = new AtomicReference<>();
            long[] coldNs = new long[1];
            Thread cold = new Thread(() -> readCold(client, path, size, expected, coldNs, failure), "cold");
            cold.start();
            double[] beside = new double[100_000];
            int count = 0;
            while (cold.isAlive() && count < beside.length) {
                beside[count++] = route.transfer(client, small.name(), small.size(), null) / 1e3;
            }
            cold.join();
            Exception problem = failure.get();
            if (problem != null) {
                throw new IOException("the cold file: " + problem.getMessage(), problem);
            }
            long again = route.transfer(client, path, size, null);
            double besideMedian = Units.median(Arrays.copyOf(beside, Math.max(1, count)));
            screen.step(
                    "cold " + Units.size(size) + " file",
                    Units.micros(coldNs[0] / 1e3) + " while cold, " + Units.micros(again / 1e3) + " once warm");
            double aloneMedian = Units.median(alone);
            String detail = Units.format("%,d of 4 KiB, median ", count) + Units.micros(besideMedian) + "; alone "
                    + Units.micros(aloneMedian);
            // Two cores more or less busy make a factor of 2; a stalled loop makes a factor of 100.
            if (count >= ENOUGH_FOR_A_MEDIAN && besideMedian < 5 * aloneMedian) {
                screen.step("warm reads beside it", detail);
            } else {
                screen.warn("warm reads beside it", detail);
            }
            checkedTransfers++;
            checkedBytes += size;
        }
    }

    private static void readCold(
            SendfiledClient client,
            String path,
            long size,
            String expected,
            long[] elapsedNs,
            AtomicReference<@Nullable Exception> failure) {
        MessageDigest digest = newDigest();
        try (Route route = Route.pipe()) {
            elapsedNs[0] = route.transfer(client, path, size, digest);
            if (!hex(digest).equals(expected)) {
                failure.set(new IOException("wrong bytes"));
            }
        } catch (IOException | InterruptedException | TimeoutException e) {
            failure.set(e);
        }
    }

    // ---- refused, and the end ----

    private void showRefusal(SendfiledClient client) throws IOException, InterruptedException, TimeoutException {
        try (Route route = Route.pipe()) {
            route.transfer(client, FORBIDDEN, 1, null);
            problems.add(FORBIDDEN + " was served");
            screen.failure("way out of the root", FORBIDDEN + " was served");
        } catch (TransferException e) {
            if (e.errno() == Errno.ENOENT) {
                screen.step("request refused", FORBIDDEN + ": " + e.reason() + " (" + e.errnoName() + ")");
            } else {
                problems.add(FORBIDDEN + ": " + e.getMessage());
                screen.failure("request refused", String.valueOf(e.getMessage()));
            }
        }
    }

    private void stop(Server server) throws InterruptedException {
        screen.working("stopping the daemon");
        long start = System.nanoTime();
        int status = server.stop();
        boolean socketGone = !Files.exists(server.socket());
        String detail = "exit status " + status + " after " + Units.micros((System.nanoTime() - start) / 1e3)
                + (socketGone ? ", socket removed" : ", SOCKET LEFT");
        if (status == 0 && socketGone) {
            screen.step("daemon stopped", detail);
        } else {
            problems.add("the daemon's end: " + detail);
            screen.failure("daemon stopped", detail);
        }
    }

    private void summarize(long elapsedNs) {
        screen.blank();
        if (problems.isEmpty()) {
            screen.line("  "
                    + screen.paint(
                            Tone.GOOD,
                            Units.format("%d transfers, ", checkedTransfers) + Units.size(checkedBytes)
                                    + ", every SHA-256 right."));
            screen.line("  " + bigSize + " over TCP: " + Units.megabytesPerSecond(bigTcpSpeed) + ", "
                    + screen.paint(Tone.TITLE, Units.ratio(bigTcpRatio)) + " of a bare loop.");
        } else {
            screen.line("  " + screen.paint(Tone.BAD, "Something went wrong:"));
            for (String problem : problems) {
                screen.line("  " + screen.paint(Tone.BAD, "✗") + " " + problem);
            }
        }
        screen.line(
                "  " + screen.paint(Tone.FAINT, Units.seconds(elapsedNs) + "; next: ./dev bench, ./dev run -- --help"));
        screen.blank();
    }
}
