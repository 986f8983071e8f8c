package io.sendfiled.tools;

import java.util.EnumSet;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What {@code sfd} can do. */
enum Command {
    READ("PATH", "read a file and write it to standard output, or to a file"),
    SEND("PATH --to DESTINATION", "have the daemon send a file to a socket, a file or standard output"),
    STAT("PATH", "show a file's size and times"),
    COUNTERS("", "show what a daemon has done so far, without asking it"),
    TOP("", "show the transfers under way, and what each waits for"),
    PING("", "ask the daemon for an answer, and tell how long it took"),
    DRAIN("", "have the daemon end when its transfers have, and watch that"),
    CANCEL("ID...", "end transfers of the daemon, of any client"),
    UPGRADE("[-- OPTION...]", "start the installed daemon in the place of this one, which keeps its transfers"),
    DOCTOR("", "tell what this machine, and the daemon on it, lack"),
    DUMP("", "show what the daemon does at this moment: its counters, its queues, its threads"),
    SERVE("DIR", "serve the files of a directory over HTTP, without a daemon"),
    TECHNIQUES("", "show how this machine can move bytes, and to what");

    private final String arguments;
    private final String sentence;

    Command(String arguments, String sentence) {
        this.arguments = arguments;
        this.sentence = sentence;
    }

    /** The word on the command line. */
    String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    String arguments() {
        return arguments;
    }

    /** Whether it is about a file of the daemon. */
    boolean hasPath() {
        return arguments.startsWith("PATH");
    }

    /** Whether it is about a directory of this process. */
    boolean hasDirectory() {
        return arguments.equals("DIR");
    }

    /** What the one word is that belongs behind it, if one does. */
    String operand() {
        return hasDirectory() ? "DIR" : "PATH";
    }

    /** Whether it is about transfers that are under way. */
    boolean hasIds() {
        return arguments.startsWith("ID");
    }

    /** Whether options of the daemon follow. */
    boolean hasOptions() {
        return arguments.startsWith("[--");
    }

    String sentence() {
        return sentence;
    }

    /** All that are about one daemon. */
    static Command[] ofDaemons() {
        return EnumSet.complementOf(EnumSet.of(TECHNIQUES, SERVE)).toArray(Command[]::new);
    }

    /** All that have a result to tell. */
    static Command[] withResult() {
        return EnumSet.complementOf(EnumSet.of(SERVE)).toArray(Command[]::new);
    }

    static @Nullable Command of(String word) {
        for (Command command : values()) {
            if (command.word().equals(word)) {
                return command;
            }
        }
        return null;
    }
}
