/**
 * Serves files to sockets and pipes by {@code sendfile(2)} and {@code splice(2)}, so that an event loop never waits for a disk:
 * the engine to {@linkplain io.sendfiled embed}, and the {@linkplain io.sendfiled.client client} of a daemon.
 *
 * <p>The native library needs {@code --enable-native-access=io.sendfiled} from JDK 24 on.
 */
@SuppressWarnings("requires-automatic") // typesafe.config and those of Prometheus have a name, and no module-info
module io.sendfiled {
    requires static org.jspecify; // not transitive: who compiles against this module would have to have it
    requires static jdk.jfr; // without it there are no events of recordings
    // Of io.sendfiled.netty only.
    requires static io.netty.buffer;
    requires static io.netty.codec;
    requires static io.netty.codec.http;
    requires static io.netty.codec.http2;
    requires static io.netty.common;
    requires static io.netty.handler;
    requires static io.netty.transport;
    requires static io.netty.transport.classes.epoll;
    requires static io.netty.transport.unix.common;
    // Of the programs sendfiled and sfd only.
    requires static com.google.gson;
    requires static java.logging;
    requires static io.prometheus.metrics.config;
    requires static io.prometheus.metrics.model;
    requires static io.prometheus.writer.text;
    requires static typesafe.config;
    requires static org.apache.commons.cli;

    exports io.sendfiled;
    exports io.sendfiled.buffer;
    exports io.sendfiled.client;
    exports io.sendfiled.config;
    exports io.sendfiled.counters;
    exports io.sendfiled.hot;
    exports io.sendfiled.netty;
    exports io.sendfiled.sys;
    exports io.sendfiled.technique;
}
