package io.sendfiled.system.client;

import io.sendfiled.Sendfiled;
import io.sendfiled.client.Destination;
import io.sendfiled.client.FileContent;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferException;
import io.sendfiled.support.Content;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;

/** A program whose native library cannot be loaded: says why, and what the fallback sends all the same. */
public final class FallbackProbe {
    private FallbackProbe() {}

    public static void main(String[] args) throws Exception {
        Path root = Path.of(args[0]);
        System.out.println("available " + Sendfiled.isAvailable());
        System.out.println("cause " + Sendfiled.unavailabilityCause());
        try (SendfiledClient client = Sendfiled.embedded().root(root).start()) {
            System.out.println("started " + client);
        } catch (UnsatisfiedLinkError e) {
            System.out.println("refused " + e.getMessage());
        }
        try (SendfiledClient client =
                        Sendfiled.embedded().root(root).fallback(true).start();
                ServerSocketChannel listener =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel peer = SocketChannel.open(listener.getLocalAddress());
                SocketChannel socket = listener.accept();
                FileChannel file = FileChannel.open(root.resolve("file"), StandardOpenOption.READ)) {
            socket.configureBlocking(false);
            CompletableFuture<Content> received = CompletableFuture.supplyAsync(() -> drain(peer));
            client.send(FileRequest.of("file").withHeader(new byte[] {1, 2, 3}), socket)
                    .await();
            try (OpenFile opened = client.open("file").get()) {
                opened.send(Destination.of(socket)).await();
            }
            System.out.println("sendfile " + client.sendfile(socket, file, 1, Long.MAX_VALUE));
            try {
                client.send("absent", socket).await();
            } catch (TransferException e) {
                System.out.println("absent " + e.getMessage());
            }
            socket.shutdownOutput();
            System.out.println("received " + received.get());
            try (FileContent content = client.read("file").content().get()) {
                System.out.println("read " + Content.drain(content));
            }
            System.out.println("warm " + client.warm("file").await().bytesMoved());
        }
    }

    private static Content drain(SocketChannel peer) {
        try {
            return Content.drain(peer);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
