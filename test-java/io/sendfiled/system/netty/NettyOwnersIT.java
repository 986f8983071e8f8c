package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2StreamChannel;
import io.netty.handler.codec.http2.Http2StreamChannelBootstrap;
import io.netty.util.concurrent.Future;
import io.sendfiled.client.TransferException;
import io.sendfiled.config.Setting;
import io.sendfiled.netty.FileForm;
import io.sendfiled.netty.SendfiledFile;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.netty.SendfiledHandler;
import io.sendfiled.support.Await;
import io.sendfiled.support.Content;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.sys.Errno;
import io.sendfiled.system.ClientKind;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whose transfers the engine's are that channels cause: the limit of each owner is one. */
@Timeout(60)
final class NettyOwnersIT {
    private static final int SIZE = 300_000;

    @TempDir
    private Path directory;

    private ClientKind.Running engine;
    private SendfiledFiles files;

    @BeforeEach
    void start() throws Exception {
        engine = ClientKind.EMBEDDED_COLD.start(
                directory,
                Files.createDirectories(directory.resolve("root")),
                Map.of(Setting.CLIENT_TRANSFERS.key(), "1"));
        files = SendfiledFiles.of(engine.client());
    }

    @AfterEach
    void stop() {
        engine.close();
    }

    /** The file is open already, and goes through buffers, as with TLS. */
    @Test
    void shouldCountWhatGoesInSlicesForItsChannel() throws Exception {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        Path behind = Files.createDirectories(directory.resolve("behind"));
        Content content = Content.write(behind.resolve("held"), SIZE);
        try (HeldDisk disk = HeldDisk.mount(directory.resolve("disk"), behind, "held");
                FileChannel file = FileChannel.open(directory.resolve("disk/held"));
                NettyServer server = NettyServer.start(
                        Transport.NIO, pipeline -> pipeline.addLast(new SendfiledHandler().form(FileForm.BYTES)));
                SocketChannel peer = server.connect();
                SocketChannel otherPeer = server.connect()) {
            ChannelFuture write = server.accepted().writeAndFlush(files.file(file, 0, SIZE));
            disk.awaitHeld(); // as long as the second one begins
            ChannelFuture other = server.accepted().writeAndFlush(files.file(file, 0, SIZE));
            server.inLoop(() -> {});
            disk.release();
            assertNull(Pipelines.causeOf(write));
            assertNull(Pipelines.causeOf(other));
            assertEquals(content, Content.drain(peer, SIZE));
            assertEquals(content, Content.drain(otherPeer, SIZE));
        }
    }

    @Test
    void shouldCountTheStreamsOfAConnectionTogether() throws Exception {
        Content.write(engine.root().resolve("file"), SIZE);
        try (NettyServer server = NettyServer.start(
                        Transport.NIO,
                        pipeline -> pipeline.addLast(
                                Http2FrameCodecBuilder.forClient().build(),
                                new Http2MultiplexHandler(new ChannelInboundHandlerAdapter())));
                SocketChannel peer = server.connect();
                SocketChannel otherPeer = server.connect()) {
            assertEquals(true, peer.isConnected() && otherPeer.isConnected());
            Channel connection = server.accepted();
            SendfiledFile first = Pipelines.open(files, stream(connection), "file");
            Future<SendfiledFile> second = files.open(stream(connection), "file");
            second.await(Await.LONG.toMillis());
            assertEquals(
                    Errno.EDQUOT,
                    assertInstanceOf(TransferException.class, second.cause()).errno());
            Pipelines.open(files, stream(server.accepted()), "file").release();
            first.release();
        }
    }

    private static Http2StreamChannel stream(Channel connection) throws Exception {
        return new Http2StreamChannelBootstrap(connection)
                .handler(new ChannelInboundHandlerAdapter())
                .open()
                .get();
    }
}
