package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.Version;
import io.sendfiled.support.Scale;
import io.sendfiled.system.ClientKind;
import java.lang.reflect.InvocationTargetException;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/** What a Netty server's event loops wait with. */
enum Transport {
    NIO {
        @Override
        EventLoopGroup loop() {
            return new NioEventLoopGroup(1);
        }

        @Override
        Class<? extends ServerChannel> channel() {
            return NioServerSocketChannel.class;
        }
    },
    EPOLL {
        @Override
        EventLoopGroup loop() {
            return new EpollEventLoopGroup(1);
        }

        @Override
        Class<? extends ServerChannel> channel() {
            return EpollServerSocketChannel.class;
        }
    },
    /** By reflection: only Netty 4.2 has it, and the tests are compiled with 4.1. */
    IO_URING {
        @Override
        EventLoopGroup loop() {
            try {
                Object handlers = Class.forName(URING + "IoUringIoHandler")
                        .getMethod("newFactory")
                        .invoke(null);
                return Class.forName("io.netty.channel.MultiThreadIoEventLoopGroup")
                        .asSubclass(EventLoopGroup.class)
                        .getConstructor(int.class, Class.forName("io.netty.channel.IoHandlerFactory"))
                        .newInstance(1, handlers);
            } catch (ReflectiveOperationException e) {
                throw new LinkageError("Netty's io_uring is another one", e);
            }
        }

        @Override
        Class<? extends ServerChannel> channel() {
            try {
                return Class.forName(URING + "IoUringServerSocketChannel").asSubclass(ServerChannel.class);
            } catch (ClassNotFoundException e) {
                throw new LinkageError("Netty's io_uring is another one", e);
            }
        }

        @Override
        void assumeAvailable() {
            try {
                Object cause = Class.forName(URING + "IoUring")
                        .getMethod("unavailabilityCause")
                        .invoke(null);
                assumeTrue(cause == null, () -> "no io_uring here: " + cause);
            } catch (InvocationTargetException e) {
                throw new LinkageError("Netty cannot tell whether there is io_uring", e.getCause());
            } catch (ReflectiveOperationException e) {
                throw new LinkageError("Netty's io_uring is another one", e);
            }
        }
    };

    private static final String URING = "io.netty.channel.uring.";

    /** Those that the Netty at hand has; for every change only what servers run with. */
    static Stream<Transport> ofThisNetty() {
        return Stream.of(values())
                .filter(transport -> transport == EPOLL || Scale.all())
                .filter(transport -> transport != IO_URING || isNetty42());
    }

    /** The same, with each way to an engine for what is not hot. */
    static Stream<Arguments> withEngines() {
        return Stream.of(ClientKind.EMBEDDED_COLD, ClientKind.CONNECTED)
                .flatMap(kind -> ofThisNetty().map(transport -> Arguments.of(transport, kind)));
    }

    static boolean isNetty42() {
        return Objects.requireNonNull(Version.identify().get("netty-transport"))
                .artifactVersion()
                .startsWith("4.2.");
    }

    /** One new event loop, which the caller ends. */
    abstract EventLoopGroup loop();

    abstract Class<? extends ServerChannel> channel();

    /** Whether its sockets have one that the engine and sendfile(2) can write to. */
    boolean hasDescriptor() {
        return this != IO_URING;
    }

    /** Skips the test where the kernel, or the container, has it not. */
    void assumeAvailable() {}
}
