package io.sendfiled.daemon;

/** The options of the command line that are no settings: one table for the parser, the help, the manual and completion. */
enum ProgramOption {
    CONFIG(
            "c",
            "config",
            "FILE",
            "read settings from this file, and not from /etc/sendfiled/NAME.conf; /dev/null: from none"),
    CHECK_CONFIG("", "check-config", "", "check all settings, tell every problem, and end"),
    PRINT_CONFIG("", "print-config", "", "print all settings as a file has them, with where each comes from, and end"),
    HELP("h", "help", "", "show this text and end"),
    VERSION("V", "version", "", "show the version and end");

    private final String letter;
    private final String word;
    private final String argument;
    private final String sentence;

    ProgramOption(String letter, String word, String argument, String sentence) {
        this.letter = letter;
        this.word = word;
        this.argument = argument;
        this.sentence = sentence;
    }

    /** The short form; empty when there is none. */
    String letter() {
        return letter;
    }

    String word() {
        return word;
    }

    /** The word that stands for the value; empty when there is none. */
    String argument() {
        return argument;
    }

    String sentence() {
        return sentence;
    }
}
