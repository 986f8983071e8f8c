package io.sendfiled.client;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.OwnedFd;
import java.io.IOException;
import java.nio.channels.Channel;

/** A channel of the JDK as a destination or as a source; {@link InJava} takes it without a descriptor. */
record ChannelEnd(Channel channel) implements Destination, Source {
    @Override
    public OwnedFd duplicate() throws IOException {
        return Descriptors.duplicate(channel);
    }

    @Override
    public String name() {
        return "an open file";
    }
}
