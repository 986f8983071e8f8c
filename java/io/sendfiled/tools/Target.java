package io.sendfiled.tools;

import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What {@code --to} or {@code --output} means: understood, not opened. Pure.
 *
 * @param kind what it is
 * @param text of a file its name; of an address what stands behind the scheme
 * @param name as messages show it
 * @param port of TCP; else 0
 */
record Target(Kind kind, String text, String name, int port) {
    enum Kind {
        STANDARD_OUTPUT,
        TCP,
        UNIX,
        FILE
    }

    private static final Target STANDARD_OUTPUT = new Target(Kind.STANDARD_OUTPUT, "-", "standard output", 0);

    /** Opened by these names, a file would begin anew, and lose what the shell has written to it. */
    private static final Set<String> STANDARD_OUTPUTS = Set.of("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1");

    private static final Pattern TCP = Pattern.compile("(?:\\[(.+)]|(.+)):([0-9]{1,5})");
    private static final int MAX_PORT = 65_535;

    /** The value of {@code --output}; null if there is none. */
    static Target ofOutput(@Nullable String text) {
        return text == null || STANDARD_OUTPUTS.contains(text) ? STANDARD_OUTPUT : new Target(Kind.FILE, text, text, 0);
    }

    /** The value of {@code --to}. What could be meant as an address is not taken for a file's name. */
    static Target ofTo(String text) throws SfdException {
        if (text.startsWith("tcp:")) {
            return tcp(text);
        }
        if (text.startsWith("unix:")) {
            String path = text.substring("unix:".length());
            if (path.isEmpty()) {
                throw wrong(text, "is not unix:PATH");
            }
            return new Target(Kind.UNIX, path, text, 0);
        }
        int colon = text.indexOf(':');
        int slash = text.indexOf('/');
        if (colon >= 0 && (slash < 0 || colon < slash)) {
            throw wrong(text, "is neither tcp:HOST:PORT nor unix:PATH; a file of that name is ./" + text);
        }
        return ofOutput(text);
    }

    private static Target tcp(String text) throws SfdException {
        Matcher matcher = TCP.matcher(text.substring("tcp:".length()));
        if (matcher.matches()) {
            int port = Integer.parseInt(matcher.group(3));
            String host = matcher.group(1) != null ? matcher.group(1) : matcher.group(2);
            if (port > 0 && port <= MAX_PORT) {
                return new Target(Kind.TCP, host, text, port);
            }
        }
        throw wrong(text, "is not tcp:HOST:PORT");
    }

    private static SfdException wrong(String text, String why) {
        return SfdException.usage("--to: " + SfdException.printable("'" + text + "' " + why));
    }

    boolean isStandardOutput() {
        return kind == Kind.STANDARD_OUTPUT;
    }
}
