package io.sendfiled.client;

/** How the requests of a {@link SendfiledClient} reach what serves them. */
public enum TransportKind {
    /** A daemon, through memory that is shared with it for what is registered, and through its socket for all else. */
    SESSION,
    /** A daemon, through its socket. */
    DATAGRAMS,
    /** An engine inside this process. */
    ENGINE,
    /** No engine: threads of this process, in Java. */
    JAVA
}
