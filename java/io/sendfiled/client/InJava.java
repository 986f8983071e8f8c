package io.sendfiled.client;

import io.sendfiled.sys.Errno;
import io.sendfiled.transport.JavaTransport;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Submits what needs no descriptor, to a transport that has none. */
final class InJava {
    private InJava() {}

    static void submit(JavaTransport transport, int command, Exchange exchange, @Nullable Destination given) {
        Destination destination = original(given);
        Source source = exchange.request().source();
        Channel to = destination instanceof ChannelEnd end ? end.channel() : null;
        FileChannel from = source instanceof ChannelEnd end && end.channel() instanceof FileChannel file ? file : null;
        Path named = source instanceof PathSource path ? path.file() : null;
        boolean owned = destination instanceof DataChannel;
        boolean known = destination == null || to != null || owned || destination instanceof NullDevice;
        if (!known || (source != null && from == null && named == null)) {
            refuse(exchange);
            return;
        }
        try {
            if (destination instanceof DataChannel data) {
                to = data.openSink();
            } else if (destination instanceof NullDevice device) {
                to = device.channel();
            }
            transport.submit(
                    exchange, command, exchange.request().toTransport(exchange.isExtended()), to, owned, from, named);
        } catch (IOException e) { // there is no descriptor
            exchange.refuse(e);
        }
    }

    static void sendOpened(JavaTransport transport, Exchange exchange, Destination destination) {
        if (original(destination) instanceof ChannelEnd end) {
            transport.sendOpened(exchange, end.channel());
        } else {
            transport.cancel(exchange);
            refuse(exchange);
        }
    }

    private static @Nullable Destination original(@Nullable Destination destination) {
        return destination instanceof RegisteredDestination registered ? registered.original() : destination;
    }

    private static void refuse(Exchange exchange) {
        exchange.refuse(
                Errno.EOPNOTSUPP, "without the native library files go from paths and channels to channels only");
    }
}
