package io.sendfiled.control;

import java.io.IOException;

/**
 * What the daemon does when its administrator asks for it by one word. Runs on a thread of its own, so it may wait; several
 * calls may run at once.
 */
@FunctionalInterface
public interface ControlCommand {
    /**
     * Does it. What it returns is the end of the answer: {@code ok} and that text.
     *
     * @param call tells the arguments, and takes lines before the last
     * @return more words after {@code ok}; empty: none
     * @throws ControlException what is answered as {@code error}
     * @throws IOException if the peer is gone, or does not read
     */
    String run(ControlCall call) throws ControlException, IOException;
}
