package io.sendfiled.tools;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What {@code sfd} can do. */
enum Command {
    READ("PATH", "read a file and write it to standard output, or to a file"),
    SEND("PATH --to DESTINATION", "have the daemon send a file to a socket, a file or standard output"),
    STAT("PATH", "show a file's size and times"),
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

    /** Whether it is about a file of the daemon. A command that is not needs no daemon. */
    boolean hasPath() {
        return !arguments.isEmpty();
    }

    String sentence() {
        return sentence;
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
