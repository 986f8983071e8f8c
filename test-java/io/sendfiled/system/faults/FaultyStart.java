package io.sendfiled.system.faults;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.Faults;
import io.sendfiled.support.Faults.Pattern;
import io.sendfiled.support.OpenDescriptors;
import io.sendfiled.support.TestDestination;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Starts and stops an engine in this JVM, with a transfer between by the Java client, while system calls and allocations of
 * both fail. A program of its own, for {@link StartFaultIT}, because the fault shim has to be there from its beginning.
 *
 * <p>Arguments: a directory, and how many cases. Says on standard output what was wrong, then how many cases there were and in
 * how many a call failed. Exit status 1 if something was wrong.
 */
final class FaultyStart {
    private static final String NAME = "start";
    private static final int SIZE = 100_000;

    private static final List<String> CALLS = List.of(
            "openat",
            "mkdir",
            "flock",
            "fstat",
            "fstatat",
            "unlinkat",
            "fchmod",
            "fchmodat",
            "ftruncate",
            "pread",
            "pwrite",
            "socket",
            "bind",
            "connect",
            "setsockopt",
            "fcntl",
            "pipe2",
            "eventfd",
            "epoll_create1",
            "epoll_ctl",
            "memfd_create",
            "openat2",
            "cachestat",
            "statx",
            "fstatfs",
            "mmap",
            "splice",
            "sendfile",
            "copy_file_range",
            "pwritev2",
            "sigaction",
            "getrandom",
            "send",
            "recvmmsg",
            "close",
            "read",
            "write");

    private static final List<Integer> ERRORS = List.of(
            Errno.EINTR, Errno.EAGAIN, Errno.ENOMEM, Errno.ENOBUFS, Errno.EMFILE, Errno.ENOSPC, Errno.EIO, Errno.EPIPE);

    /** See {@link FaultIT}: an EAGAIN of an eventfd says that all is done. */
    private static final List<String> EVENTS = List.of("read", "write");

    private static final List<String> REMOVAL = List.of("fstatat", "unlinkat");

    private final Path directory;
    private final SendfiledConfig config;
    private final Faults faults;
    private final Content content;
    private int descriptors;
    private int cases;
    private int hits;
    private int wrong;

    private FaultyStart(Path directory) throws IOException {
        this.directory = directory;
        Path root = Files.createDirectories(directory.resolve("root"));
        content = Content.write(root.resolve("file"), SIZE);
        faults = Faults.ofThisProcess();
        config = SendfiledConfig.builder()
                .name(NAME)
                .root(root)
                .socketDirectory(directory)
                .loops(2)
                .build();
    }

    /** The program. */
    public static void main(String[] arguments) throws Exception {
        FaultyStart program = new FaultyStart(Path.of(arguments[0]));
        program.run(Integer.parseInt(arguments[1]));
        System.out.println(program.cases + " cases " + program.hits + " hits " + program.wrong + " wrong");
        System.exit(program.wrong == 0 ? 0 : 1);
    }

    private void run(int most) throws Exception {
        expectService();
        descriptors = OpenDescriptors.settledCount(ProcessHandle.current().pid());
        for (int n = 1; n == 1 || faults.failed() > 0; n++) {
            run(Faults.ALLOCATION, Errno.ENOMEM, Pattern.nth(n));
        }
        List<Runnable> all = new ArrayList<>();
        for (String call : CALLS) {
            for (int error : ERRORS) {
                if (error == Errno.EAGAIN && EVENTS.contains(call)) {
                    continue;
                }
                for (int n = 1; n <= 4; n++) {
                    Pattern pattern = Pattern.nth(n);
                    all.add(() -> run(call, error, pattern));
                }
                all.add(() -> run(call, error, Pattern.EVERY_THIRD));
            }
        }
        Collections.shuffle(all, new Random(20261120)); // some of everything, the same ones each time
        all.stream().limit(most).forEach(Runnable::run);
    }

    private void run(String call, int error, Pattern pattern) {
        cases++;
        String end = "nothing";
        try {
            faults.give(call, error, pattern);
            try {
                end = serve();
            } finally {
                faults.clear();
            }
            hits += faults.failed() > 0 ? 1 : 0;
            // What cannot be looked at or removed stays: then the next start has to cope with it.
            boolean stays = REMOVAL.contains(call) && error != Errno.EINTR;
            if (Files.exists(config.socketPath()) && !stays) {
                throw new AssertionError("the socket is left");
            }
            expectService();
            if (Files.exists(config.socketPath())) {
                throw new AssertionError("the socket of another life is left");
            }
            Await.until(
                    "the descriptors to be " + descriptors + " again", () -> OpenDescriptors.count() <= descriptors);
        } catch (Exception | AssertionError e) {
            wrong++;
            System.out.println(Errno.name(error) + " of " + call + ", " + pattern + ", at " + faults.place()
                    + ", which gave " + end + ": " + e);
        }
    }

    /** Start, transfer, stop; or why one of them failed. */
    private String serve() throws Exception {
        try (Sendfiled server = Sendfiled.launch(config)) {
            String end = transfer();
            Throwable failure = server.failure();
            if (failure != null) {
                throw new AssertionError("a loop has ended", failure);
            }
            return end;
        } catch (io.sendfiled.sys.NativeIoException e) {
            return e.toString();
        }
    }

    private String transfer() throws Exception {
        try (SendfiledClient client = SendfiledClient.connect(directory, NAME);
                TestDestination destination = TestDestination.open(TestDestination.Type.UNIX, directory)) {
            CompletableFuture<Content> received = destination.receive();
            try {
                client.send(FileRequest.of("file"), destination.destination()).await(Await.LONG);
            } catch (TransferException e) {
                return e.toString();
            }
            destination.finishSending();
            if (!content.equals(received.get(20, TimeUnit.SECONDS))) {
                throw new AssertionError("wrong bytes are called success");
            }
            return "success";
        } catch (IOException e) {
            return e.toString();
        }
    }

    /** What must work when nothing fails. */
    private void expectService() throws Exception {
        String end = serve();
        if (!end.equals("success")) {
            throw new AssertionError("without a fault: " + end);
        }
    }
}
