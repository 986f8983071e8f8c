package io.sendfiled.support;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The files by which bash and zsh complete a program's command line, made from its tables of options. To write them anew
 * after a change of a table, run the test with {@code -Dsendfiled.manual.write=true}.
 */
public final class Completion {
    private static final Path DIRECTORY =
            Path.of(System.getProperty("sendfiled.test.source", "."), "packaging", "completion");

    /** What the value of an option is completed to. */
    public enum Value {
        NONE(""),
        ANY(":value:"),
        FILE(":file:_files"),
        DIRECTORY(":directory:_files -/");

        private final String zsh;

        Value(String zsh) {
            this.zsh = zsh;
        }
    }

    private record Entry(String letter, String word, String sentence, Value value, List<String> words) {
        List<String> names() {
            return letter.isEmpty() ? List.of("--" + word) : List.of("-" + letter, "--" + word);
        }
    }

    private final String program;
    private final List<String> commands = new ArrayList<>();
    private final List<String> sentences = new ArrayList<>();
    private final List<List<Entry>> entries = new ArrayList<>();

    public Completion(String program) {
        this.program = program;
        command("", "");
    }

    /** Begins a command; the options that follow are its own. Those before the first are the program's. */
    public Completion command(String word, String sentence) {
        commands.add(word);
        sentences.add(sentence);
        entries.add(new ArrayList<>());
        return this;
    }

    /** Adds an option; {@code words} are the values that it can have, if they are known. */
    public Completion option(String letter, String word, String sentence, Value value, List<String> words) {
        entries.get(entries.size() - 1).add(new Entry(letter, word, sentence, value, words));
        return this;
    }

    /** Compares both files with the tables, or writes them. */
    public void check() throws IOException {
        check(DIRECTORY.resolve("bash").resolve(program), bash());
        check(DIRECTORY.resolve("zsh").resolve("_" + program), zsh());
    }

    private static void check(Path file, String text) throws IOException {
        if (Boolean.getBoolean("sendfiled.manual.write")) {
            Files.createDirectories(file.getParent());
            Files.writeString(file, text);
        }
        assertEquals(text, Files.readString(file), "write it anew with -Dsendfiled.manual.write=true");
    }

    // ---- bash ----

    private String bash() {
        StringBuilder text = new StringBuilder("# bash completion for " + program
                + ", made from its table of options.\n\n_" + program
                + "() {\n    local word=$2 before=$3 command=${COMP_WORDS[1]} options=\n    COMPREPLY=()\n");
        text.append("    case $before in\n");
        List<Entry> all = entries.stream().flatMap(List::stream).distinct().toList();
        bashValue(text, all, Value.FILE, "compgen -f");
        bashValue(text, all, Value.DIRECTORY, "compgen -d");
        bashValue(text, all, Value.ANY, "");
        for (Entry entry : all) {
            if (!entry.words().isEmpty()) {
                text.append("        ")
                        .append(String.join(" | ", entry.names()))
                        .append(")\n");
                text.append("            mapfile -t COMPREPLY < <(compgen -W '")
                        .append(String.join(" ", entry.words()))
                        .append("' -- \"$word\")\n            return\n            ;;\n");
            }
        }
        text.append("    esac\n    case $command in\n");
        for (int i = commands.size() - 1; i >= 0; i--) {
            List<String> names = new ArrayList<>();
            entries.get(i).forEach(entry -> names.addAll(entry.names()));
            text.append("        ").append(i == 0 ? "*" : commands.get(i)).append(")\n            options='");
            text.append(String.join(" ", names)).append("'\n            ;;\n");
        }
        text.append("    esac\n");
        if (commands.size() > 1) {
            text.append(
                            "    if ((COMP_CWORD == 1)) || { [[ $command == help ]] && ((COMP_CWORD == 2)); }; then\n        options+=' ")
                    .append(String.join(" ", commands.subList(1, commands.size())))
                    .append("'\n    elif [[ $word != -* ]]; then\n        return\n    fi\n");
        }
        text.append("    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n}\n\n");
        text.append("complete -o filenames -F _")
                .append(program)
                .append(' ')
                .append(program)
                .append('\n');
        return text.toString();
    }

    private static void bashValue(StringBuilder text, List<Entry> all, Value value, String command) {
        List<String> names = new ArrayList<>();
        for (Entry entry : all) {
            if (entry.value() == value && entry.words().isEmpty()) {
                names.addAll(entry.names());
            }
        }
        if (names.isEmpty()) {
            return;
        }
        text.append("        ").append(String.join(" | ", names)).append(")\n");
        if (!command.isEmpty()) {
            text.append("            mapfile -t COMPREPLY < <(").append(command).append(" -- \"$word\")\n");
        }
        text.append("            return\n            ;;\n");
    }

    // ---- zsh ----

    private String zsh() {
        StringBuilder text = new StringBuilder(
                "#compdef " + program + "\n# zsh completion for " + program + ", made from its table of options.\n\n");
        if (commands.size() == 1) {
            zshArguments(text, entries.get(0), "", "");
            return text.toString();
        }
        text.append("local -a commands=(\n");
        for (int i = 1; i < commands.size(); i++) {
            text.append("    '").append(commands.get(i)).append(':').append(zshText(sentences.get(i)));
            text.append("'\n");
        }
        text.append(")\nif ((CURRENT == 2)); then\n    _describe command commands\n");
        zshArguments(text, entries.get(0), "    ", "");
        text.append("    return\nfi\ncase ${words[2]} in\n");
        for (int i = 1; i < commands.size(); i++) {
            text.append("    ").append(commands.get(i)).append(")\n");
            if (entries.get(i).isEmpty()) { // help
                text.append("        _describe command commands\n        ;;\n");
                continue;
            }
            zshArguments(text, entries.get(i), "        ", "'1:command:' '*:path:'");
            text.append("        ;;\n");
        }
        return text.append("esac\n").toString();
    }

    private static void zshArguments(StringBuilder text, List<Entry> of, String indent, String positions) {
        text.append(indent).append("_arguments -s");
        for (Entry entry : of) {
            String value =
                    entry.words().isEmpty() ? entry.value().zsh : ":value:(" + String.join(" ", entry.words()) + ")";
            for (String name : entry.names()) {
                String joined = name.startsWith("--") ? "=" : "+"; // --name=value, -nvalue
                text.append(" \\\n").append(indent).append("    '").append(name).append(value.isEmpty() ? "" : joined);
                text.append('[')
                        .append(zshText(entry.sentence()))
                        .append(']')
                        .append(value)
                        .append('\'');
            }
        }
        if (!positions.isEmpty()) {
            text.append(" \\\n").append(indent).append("    ").append(positions);
        }
        text.append('\n');
    }

    /** Inside single quotes, brackets and what colons part. */
    private static String zshText(String sentence) {
        return sentence.replace("\\", "\\\\")
                .replace("'", "'\\''")
                .replace("[", "\\[")
                .replace("]", "\\]")
                .replace(":", "\\:");
    }
}
