package io.sendfiled.system.transfer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonObject;
import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.Transfer;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.EachKind;
import io.sendfiled.system.TestDaemon;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;

/** Many transfers at once from a Java and a C process: every hash right, and no descriptor left. */
@ParameterizedClass
@EachKind
@Timeout(120)
final class LoadIT {
    private static final int TRANSFERS = 1_000; // of each of the two processes
    private static final int PARALLEL = 32;
    private static final int[] SIZES = {0, 1, 4_095, 4_096, 4_097, 20_000, 65_536, 65_537, 300_000, 1_048_577};
    private static final List<TestDestination.Type> TYPES = List.of(TestDestination.Type.values());

    @TempDir
    private Path directory;

    @Parameter
    TestDaemon.Kind kind;

    @Test
    void shouldDeliver2000TransfersOfMixedSizesToTwoProcesses64AtOnce() throws Exception {
        try (TestDaemon daemon = TestDaemon.start(kind, directory, TestDaemon.Options.STANDARD.asOtherUser())) {
            List<Content> contents = new ArrayList<>();
            List<Object> arguments =
                    new ArrayList<>(List.of(directory, TestDaemon.NAME, "many", TRANSFERS, PARALLEL, daemon.root()));
            for (int size : SIZES) {
                contents.add(Content.write(daemon.root().resolve("file" + size), size));
                arguments.add("file" + size);
            }

            Process other = HelperProgram.start("client_driver", arguments.toArray());
            ExecutorService threads = Executors.newFixedThreadPool(PARALLEL);
            try {
                List<Future<Content>> results = new ArrayList<>();
                for (int i = 0; i < TRANSFERS; i++) {
                    int number = i;
                    results.add(threads.submit(() -> transfer(daemon, number)));
                }
                for (int i = 0; i < TRANSFERS; i++) {
                    assertEquals(contents.get(i % SIZES.length), results.get(i).get(60, TimeUnit.SECONDS), "no. " + i);
                }
                JsonObject outcome = HelperProgram.json(other);
                assertEquals(TRANSFERS, outcome.get("done").getAsInt(), outcome.toString());
                assertEquals(0, outcome.get("descriptors").getAsInt(), outcome.toString());
                assertEquals(0, other.waitFor());
            } finally {
                threads.shutdownNow();
                other.destroyForcibly();
            }
            daemon.expectNoLeak();
        }
    }

    /** The operation, the destination and the size all change with the number. */
    private Content transfer(TestDaemon daemon, int number) throws Exception {
        FileRequest request = FileRequest.of("file" + SIZES[number % SIZES.length]);
        if (number % 3 == 0) {
            try (FileContent content = daemon.client().read(request).content().get(60, TimeUnit.SECONDS)) {
                return Content.drain(content);
            }
        }
        try (TestDestination destination = TestDestination.open(TYPES.get(number / 3 % TYPES.size()), directory)) {
            CompletableFuture<Content> received = destination.receive();
            Transfer transfer;
            if (number % 3 == 1) {
                transfer = daemon.client().send(request, destination.destination());
            } else {
                OpenFile file = daemon.client().open(request).get(60, TimeUnit.SECONDS);
                transfer = file.send(destination.destination());
            }
            transfer.await(Await.LONG);
            destination.finishSending();
            return received.get(60, TimeUnit.SECONDS);
        }
    }
}
