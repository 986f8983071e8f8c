package io.sendfiled.system.process;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.client.SendfiledClient;
import io.sendfiled.jni.SuccessionNative;
import io.sendfiled.protocol.Wire;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.ControlPeer;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.Lengthy;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.RawClient;
import io.sendfiled.support.RawClient.Status;
import io.sendfiled.support.Scale;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** R27: one process of an instance takes the place of another one, and no client notices. */
@Timeout(120)
final class UpgradeIT extends UpgradeTestCase {
    private static final int CLIENTS = 64;
    private static final int UPGRADES = Scale.all() ? 20 : 5;
    private static final int ANSWER_MS = 20_000;
    private static final int NONE = -1;

    @Test
    void shouldLoseNothingInUpgradesUnderLoad() throws Exception {
        List<Program> all = new ArrayList<>();
        all.add(begin());
        try (Load load = new Load(CLIENTS);
                TestDestination slow = TestDestination.open(TestDestination.Type.UNIX, scratch);
                RawClient raw = new RawClient(socket());
                Status status = raw.request(Wire.SEND_FILE, "big", 0, 0, slow.fd())) {
            slow.finishSending();
            status.info(); // it is the first one's for as long as nobody reads
            for (int i = 0; i < UPGRADES; i++) {
                load.awaitMore(CLIENTS);
                Program before = all.get(i);
                try {
                    all.add(takeOver());
                } catch (AssertionError e) {
                    throw new AssertionError("upgrade " + i + ": " + before.errorsSoFar(), e);
                }
                assertEquals(List.of(), load.failures(), "upgrade " + i);
                if (i > 0) {
                    assertEquals(0, all.get(i).awaitExit(), () -> all.get(all.size() - 2)
                            .errorsSoFar());
                }
            }
            load.awaitMore(CLIENTS);
            assertEquals(List.of(), load.failures());
            assertTrue(all.get(0).isAlive(), "it has a transfer");
            assertEquals(Content.of(root.resolve("big")), Content.drain(slow.receivingEnd()));
            status.rest();
            assertEquals(0, all.get(0).awaitExit());
        }
        Program last = all.get(UPGRADES);
        int descriptors = OpenDescriptors.settledCount(last.pid());
        try (Program next = takeOver()) {
            assertEquals(0, last.awaitExit());
            assertTrue(OpenDescriptors.settledCount(next.pid()) <= descriptors, "descriptors grow");
            next.signal("TERM");
            assertEquals(0, next.awaitExit());
        }
        assertEquals(List.of(), leftOver());
    }

    @Test
    void shouldServeOpenedFilesWhereTheyWereOpened() throws Exception {
        try (Program first = begin();
                RawClient raw = new RawClient(socket());
                Status sent = raw.request(Wire.OPEN_FILE, "big");
                Status cancelled = raw.request(Wire.OPEN_FILE, "big");
                Status later = raw.request(Wire.OPEN_FILE, "big");
                TestDestination one = TestDestination.open(TestDestination.Type.UNIX, scratch);
                TestDestination two = TestDestination.open(TestDestination.Type.UNIX, scratch)) {
            long id = sent.info().id();
            long other = cancelled.info().id();
            long third = later.info().id();
            try (Program second = takeOver()) {
                raw.sendOpenFile(id, one.fd());
                one.finishSending();
                raw.cancel(other);
                assertEquals(Content.of(root.resolve("big")), Content.drain(one.receivingEnd()));
                assertEquals(0, cancelled.rest().length, "and it has an end");
                try (Program last = takeOver()) { // two before it, of which one has the file
                    assertEquals(0, second.awaitExit());
                    assertTrue(first.isAlive());
                    raw.sendOpenFile(third, two.fd());
                    two.finishSending();
                    assertEquals(Content.of(root.resolve("big")), Content.drain(two.receivingEnd()));
                    assertEquals(0, first.awaitExit());
                    assertEquals("the content", read());
                    last.signal("TERM");
                    assertEquals(0, last.awaitExit());
                }
            }
        }
    }

    @Test
    void shouldFinishColdTransfersThatItHas() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path disk = Files.createDirectory(scratch.resolve("disk"));
        Content whole = Content.write(disk.resolve("cold"), SIZE);
        Files.writeString(disk.resolve("file"), "the content");
        Path mounted = root.resolve("mounted");
        List<Status> statuses = new ArrayList<>();
        try (HeldDisk held = HeldDisk.mount(mounted, disk, "cold");
                Program first = start(with("--client-transfers", "1000"));
                RawClient raw = new RawClient(socket())) {
            for (int i = 0; i < CLIENTS; i++) {
                statuses.add(raw.request(Wire.READ_FILE, "mounted/cold"));
            }
            held.awaitHeld();
            try (Program second = takeOver("--client-transfers", "1000")) {
                assertEquals("the content", read());
                assertTrue(first.isAlive());
                held.release();
                for (Status status : statuses) {
                    status.info();
                    assertEquals(whole, Content.drain(status.source()));
                    status.close();
                }
                assertEquals(0, first.awaitExit());
                second.signal("TERM");
                assertEquals(0, second.awaitExit());
            }
        }
    }

    /** Programs that do not work, and what they say. */
    static Stream<String> badBuilds() {
        return Stream.of("option", "jar", "dispatcher");
    }

    @Lengthy
    @ParameterizedTest
    @MethodSource("badBuilds")
    void shouldGoOnWhenTheNewBuildDoesNotWork(String kind, @TempDir Path copy) throws Exception {
        try (Program first = begin();
                Load load = new Load(CLIENTS)) {
            load.awaitMore(CLIENTS);
            for (int i = 0; i < 3; i++) {
                Path counters = sockets.resolve("sendfiled.a.counters");
                Object identity = Files.getAttribute(counters, "unix:ino");
                Program bad = startBad(kind, copy.resolve(Integer.toString(i)));
                assertTrue(bad.awaitExit() > 0);
                assertEquals(identity, Files.getAttribute(counters, "unix:ino"), "its counters are found");
                assertFalse(bad.errors().contains("serving"), bad.errors());
                if (kind.equals("dispatcher")) {
                    assertTrue(bad.errors().contains("serves on"), bad.errors());
                }
                load.awaitMore(CLIENTS);
            }
            assertEquals(List.of(), load.failures());
            assertTrue(first.isAlive());
            Program second = takeOver();
            load.awaitMore(CLIENTS);
            load.end();
            assertEquals(0, first.awaitExit());
            second.signal("TERM");
            assertEquals(0, second.awaitExit());
            assertEquals(List.of(), load.failures());
        }
    }

    private Program startBad(String kind, Path copy) throws Exception {
        String[] arguments = arguments(with("--take-over"));
        if (kind.equals("option")) {
            return Program.start(scratch, arguments(with("--take-over", "--root", scratch + "/missing")));
        }
        Path dist = Program.LAUNCHER.resolveSibling("..").normalize();
        for (String part : List.of("bin/sendfiled", "lib/sendfiled")) {
            copy(dist.resolve(part), copy.resolve(part));
        }
        Path lib = copy.resolve("lib/sendfiled");
        if (kind.equals("jar")) {
            Files.write(lib.resolve("sendfiled.jar"), new byte[] {1, 2, 3});
        } else {
            try (DirectoryStream<Path> jars = Files.newDirectoryStream(lib, "sendfiled-*.jar")) {
                breakDispatcher(jars.iterator().next(), copy);
            }
        }
        List<String> command =
                new ArrayList<>(List.of(copy.resolve("bin/sendfiled").toString()));
        command.addAll(List.of(arguments));
        return Program.start(scratch, command, Program.ALLOW_ROOT);
    }

    private static void copy(Path from, Path to) throws IOException {
        if (!Files.isDirectory(from)) {
            Files.createDirectories(to.getParent());
            Files.copy(from, to, StandardCopyOption.COPY_ATTRIBUTES, StandardCopyOption.REPLACE_EXISTING);
            return;
        }
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.toList()) {
                if (!file.toString().endsWith(".jsa")) {
                    copy(file, to.resolve(file.getFileName()));
                }
            }
        }
    }

    /** Its first request, and every other one, ends the loop that has it. */
    private static void breakDispatcher(Path jar, Path scratch) throws IOException {
        Path source = Path.of(System.getProperty("sendfiled.test.source", "."))
                .resolve("java/io/sendfiled/engine/Dispatcher.java");
        Path broken = Files.createDirectories(scratch.resolve("broken")).resolve("Dispatcher.java");
        Files.writeString(
                broken,
                Files.readString(source)
                        .replace(
                                "int count = turn.requests();",
                                "int count = turn.requests(); if (count > 0) throw new IllegalStateException();"));
        int result = ToolProvider.getSystemJavaCompiler()
                .run(
                        InputStream.nullInputStream(),
                        null,
                        null,
                        "-nowarn",
                        "-proc:none",
                        "-cp",
                        jar + ":" + System.getProperty("java.class.path"),
                        "-d",
                        broken.resolveSibling("").toString(),
                        broken.toString());
        assertEquals(0, result);
        String name = "io/sendfiled/engine/Dispatcher.class";
        try (FileSystem opened = FileSystems.newFileSystem(URI.create("jar:" + jar.toUri()), Map.of())) {
            Files.copy(broken.resolveSibling(name), opened.getPath("/" + name), StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** The test as the next process, which stops at some point, by what it says there. */
    @Lengthy
    @ParameterizedTest
    @ValueSource(
            strings = {"", "nothing", "hello", "hello,ready", "hello,ready,go,abort", "hello,commit", "ready", "x"})
    void shouldGoOnWhenTheNextProcessEndsOnTheWay(String words) throws Exception {
        try (Program first = begin();
                Load load = new Load(8)) {
            int descriptors = OpenDescriptors.count(first.pid());
            for (int i = 0; i < 3; i++) {
                load.awaitMore(20);
                int channel = channel(first);
                assertTrue(
                        ControlPeer.ask(control(), "upgrade unmanaged").get(0).startsWith("error " + Errno.EBUSY + " "),
                        "one at a time");
                for (String word : words.isEmpty() ? new String[0] : words.split(",")) {
                    if (word.equals("go")) {
                        assertEquals("go", SuccessionNative.receive(channel, NONE, ANSWER_MS, new int[1]));
                    } else {
                        assertEquals(0, SuccessionNative.send(channel, word));
                    }
                }
                SuccessionNative.close(channel);
                load.awaitMore(20);
                Await.until("it serves alone", () -> !isUnderWay());
            }
            assertEquals(List.of(), load.failures());
            load.end();
            Await.until("its descriptors", () -> OpenDescriptors.count(first.pid()) <= descriptors);
            Program second = takeOver();
            assertEquals(0, first.awaitExit());
            second.signal("TERM");
            assertEquals(0, second.awaitExit());
        }
    }

    private boolean isUnderWay() {
        try {
            List<String> answer = ControlPeer.ask(control(), "upgrade managed");
            return answer.get(0).startsWith("error " + Errno.EBUSY + " ");
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** Begins, and fetches the socket on which it goes on. */
    private int channel(Program first) throws IOException {
        List<String> answer = ControlPeer.ask(control(), "upgrade unmanaged");
        assertTrue(answer.get(answer.size() - 1).startsWith("ok"), answer::toString);
        int number = Integer.parseInt(answer.get(0).substring("channel ".length()));
        int process = SuccessionNative.openProcess((int) first.pid());
        int channel = SuccessionNative.fetch(process, number);
        SuccessionNative.close(process);
        assertTrue(channel > 0, () -> Errno.describe(-channel));
        return channel;
    }

    @Test
    void shouldStartAsEverIfNoneServes() throws Exception {
        Content.write(root.resolve("some"), SIZE);
        try (Program only = takeOver()) {
            assertEquals("the content", read());
            only.signal("KILL");
            only.awaitExit();
        }
        try (Program next = takeOver()) { // what the other one has left is in its way, and in nobody's
            assertEquals("the content", read());
            next.signal("TERM");
            assertEquals(0, next.awaitExit());
        }
        assertEquals(List.of(), leftOver());
    }

    @Test
    void shouldStartAgainAfterTheNewOneWasKilled() throws Exception {
        try (Program first = begin();
                RawClient raw = new RawClient(socket());
                TestDestination slow = TestDestination.open(TestDestination.Type.UNIX, scratch);
                Status status = raw.request(Wire.SEND_FILE, "big", 0, 0, slow.fd())) {
            slow.finishSending();
            status.info();
            Program second = takeOver();
            second.signal("KILL");
            second.awaitExit();
            try (Program third = retry()) {
                assertEquals("the content", read());
                assertEquals(Content.of(root.resolve("big")), Content.drain(slow.receivingEnd()));
                assertEquals(0, first.awaitExit());
                third.signal("TERM");
                assertEquals(0, third.awaitExit());
            }
        }
        assertEquals(List.of(), leftOver());
    }

    @Test
    void shouldEndWithAllThatWereReplacedWhenItEnds() throws Exception {
        try (Program first = begin();
                RawClient raw = new RawClient(socket());
                Status opened = raw.request(Wire.OPEN_FILE, "big")) {
            opened.info();
            Program second = takeOver();
            assertTrue(first.isAlive());
            second.signal("TERM");
            second.signal("TERM"); // and does not wait
            assertEquals(0, second.awaitExit());
            assertEquals(0, first.awaitExit());
            assertArrayEquals(new byte[] {(byte) Wire.TRANSFER_STATUS, Errno.ESHUTDOWN}, opened.rest());
        }
    }

    @Test
    void shouldRefuseToLeaveTheProgramThatStartedIt() throws Exception {
        try (Program first = Program.startReporting(scratch, arguments("-p"))) {
            first.report();
            Program second = Program.start(scratch, arguments("--take-over"));
            assertEquals(1, second.awaitExit());
            assertTrue(second.errors().contains("--sync"), second.errors());
            assertEquals("the content", read());
            first.signal("TERM");
        }
    }

    private Program sfd(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Program.LAUNCHER.resolveSibling("sfd").toString(), "upgrade", "-S", sockets.toString(), "-s", "a"));
        command.addAll(List.of(arguments));
        return Program.start(scratch, command, Program.ALLOW_ROOT);
    }

    @Test
    void shouldBeUpgradedByCommand() throws Exception {
        try (Program first = begin();
                Load load = new Load(8)) {
            load.awaitMore(8);
            Program bad = sfd("--", "--root", scratch + "/missing");
            assertEquals(1, bad.awaitExit());
            assertTrue(bad.errors().contains("pid " + first.pid() + " serves on"), bad.errors());
            load.awaitMore(8);
            assertTrue(first.isAlive());

            Program good = sfd("--", "--stop-timeout", "5s");
            assertEquals(0, good.awaitExit(), good::errorsSoFar);
            assertEquals(0, first.awaitExit());
            load.awaitMore(8);
            load.end();
            assertEquals(List.of(), load.failures());
            long pid = Long.parseLong(
                    Files.readString(sockets.resolve("sendfiled.a.lock")).strip());
            Program.signal(pid, "TERM");
            Await.until(
                    "its end",
                    () -> !Files.exists(socket()) && !ProcessHandle.of(pid).isPresent());
        }
    }

    /** What root starts is not what a process of another user, which may be a client's by now, has root start. */
    @Test
    void shouldRunNoProgramForRootThatAnotherUserNames() throws Exception {
        assumeTrue(Program.ROOT, "only root can be several users");
        Files.setPosixFilePermissions(scratch, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.setAttribute(sockets, "unix:uid", 12345);
        Path seen = scratch.resolve("seen");
        Path script = Files.writeString(
                scratch.resolve("script"), "#!/bin/sh\n(env; printf '%s\\n' \"$@\") >" + seen + "\nexit 1\n");
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        List<String> command = new ArrayList<>(List.of(Program.LAUNCHER.toString()));
        command.addAll(List.of(arguments("--user=12345", "--group=23456")));
        Map<String, String> environment = Map.of("SENDFILED_JAVA_OPTS", "-Dits=own", "SENDFILED_LOOPS", "2");
        try (Program first = Program.start(scratch, command, environment)) {
            first.awaitServing(socket());
            Program upgrade = sfd("--program", script.toString(), "--", "--user=root", "--group=root");
            assertEquals(1, upgrade.awaitExit());
            String all = Files.readString(seen);
            assertTrue(all.contains("SENDFILED_LOOPS=2"), all);
            assertFalse(all.contains("-Dits=own"), all);
            assertTrue(all.endsWith("--user=12345\n--group=23456\n"), all);
            assertTrue(first.isAlive());
        }
    }

    @Test
    void shouldKeepClientsThatAreConnected() throws Exception {
        try (Program first = begin();
                SendfiledClient client = SendfiledClient.connect(sockets, "a")) {
            List<CompletableFuture<?>> all = new ArrayList<>();
            Program serving = first;
            for (int i = 0; i < 3; i++) {
                all.add(client.open("some"));
                Program next = takeOver();
                client.read("some").content().get(20, TimeUnit.SECONDS).close();
                serving = next;
            }
            for (CompletableFuture<?> opened : all) {
                ((AutoCloseable) opened.get(20, TimeUnit.SECONDS)).close();
            }
            assertEquals(0, first.awaitExit());
            serving.signal("TERM");
            assertEquals(0, serving.awaitExit());
        }
    }

    @Test
    void shouldHandOverTheSocketsOfOtherUsers() throws Exception {
        assumeTrue(Program.ROOT, "only root can be several users");
        Files.setPosixFilePermissions(scratch, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.setPosixFilePermissions(sockets, PosixFilePermissions.fromString("rwxr-xr-x"));
        String[] users = {"--allow-users", "12345,23456"};
        try (Program first = begin(users)) {
            int lanes = lanes();
            Program second = takeOver("--allow-users", "12345,23456,34567");
            assertEquals(0, first.awaitExit());
            assertEquals(lanes + 1, lanes());
            Program third = takeOver("--allow-users", "34567");
            assertEquals(0, second.awaitExit());
            assertEquals("the content", read());
            third.signal("TERM");
            assertEquals(0, third.awaitExit());
        }
        assertEquals(List.of(), leftOver());
    }

    private int lanes() throws IOException {
        return (int) leftOver().stream().filter(name -> name.endsWith(".lane")).count();
    }
}
