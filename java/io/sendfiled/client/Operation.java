package io.sendfiled.client;

/** The kind of request; names the operation in a {@link TransferException}. */
public enum Operation {
    /** Open a file, to send it later. */
    OPEN("open"),
    /** Read a file through a pipe. */
    READ("read"),
    /** Send a file to a descriptor. */
    SEND("send"),
    /** Send a file that was opened before. */
    SEND_OPEN("send opened");

    private final String verb;

    Operation(String verb) {
        this.verb = verb;
    }

    @Override
    public String toString() {
        return verb;
    }
}
