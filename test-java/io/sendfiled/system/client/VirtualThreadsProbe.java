package io.sendfiled.system.client;

import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.TestDestination;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;

/**
 * Many virtual threads on one carrier, each of which waits for a transfer whose receiver reads nothing before all of them
 * wait. The first one that kept the carrier would keep the others from getting there. Prints "pinned N".
 */
public final class VirtualThreadsProbe {
    private static final int THREADS = 48;
    private static final String FILE = "file";

    private VirtualThreadsProbe() {}

    public static void main(String[] args) throws Throwable {
        Path directory = Path.of(args[0]);
        Path file = directory.resolve("root").resolve(FILE);
        Content content = Content.of(file);
        MethodHandle start = MethodHandles.publicLookup()
                .findStatic(Thread.class, "startVirtualThread", MethodType.methodType(Thread.class, Runnable.class));
        try (SendfiledClient client = SendfiledClient.connect(directory, args[1]);
                FileChannel in = FileChannel.open(file, StandardOpenOption.READ);
                Recording recording = new Recording()) {
            recording.enable("jdk.VirtualThreadPinned").withoutThreshold();
            recording.start();
            CountDownLatch waiting = new CountDownLatch(THREADS);
            List<TestDestination> destinations = new ArrayList<>();
            List<CompletableFuture<Void>> sent = new ArrayList<>();
            TestDestination.Type[] types = {
                TestDestination.Type.TCP, TestDestination.Type.TCP_BLOCKING, TestDestination.Type.PIPE
            };
            for (int i = 0; i < THREADS; i++) {
                TestDestination destination = TestDestination.open(types[i % types.length], directory);
                boolean shape = i % 2 == 0;
                CompletableFuture<Void> done = new CompletableFuture<>();
                destinations.add(destination);
                sent.add(done);
                Runnable send = () -> {
                    waiting.countDown();
                    try {
                        if (shape) {
                            client.sendfile(destination.channel(), in, 0, content.size());
                        } else {
                            client.send(FileRequest.of(FILE), destination.destination())
                                    .await();
                        }
                        destination.finishSending();
                        done.complete(null);
                    } catch (Throwable t) {
                        done.completeExceptionally(t);
                    }
                };
                Object thread = start.invoke(send);
                if (thread == null) {
                    throw new AssertionError();
                }
            }
            if (!waiting.await(Await.LONG.toSeconds(), TimeUnit.SECONDS)) {
                System.out.println("stuck: " + waiting.getCount() + " threads have no carrier");
                System.exit(1);
            }
            List<CompletableFuture<Content>> received = new ArrayList<>();
            for (TestDestination destination : destinations) {
                received.add(destination.receive());
            }
            for (int i = 0; i < THREADS; i++) {
                sent.get(i).get(Await.LONG.toSeconds(), TimeUnit.SECONDS);
                if (!content.equals(received.get(i).get(Await.LONG.toSeconds(), TimeUnit.SECONDS))) {
                    System.out.println("other bytes");
                    System.exit(1);
                }
                destinations.get(i).close();
            }
            recording.stop();
            Path events = directory.resolve("events.jfr");
            recording.dump(events);
            System.out.println("pinned " + RecordingFile.readAllEvents(events).size());
        }
    }
}
