package io.sendfiled.hot;

/** What a call of {@link HotFile#send} ended with. */
public enum HotStep {
    /** All was sent. */
    DONE,

    /** The destination is full: go on when it can be written to. */
    BLOCKED,

    /** The next bytes of the file are not in memory: the engine goes on, from the offset that was reached. */
    COLD
}
