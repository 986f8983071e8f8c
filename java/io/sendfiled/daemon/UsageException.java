package io.sendfiled.daemon;

import java.util.List;

/** The command line, the environment or the configuration file is wrong; each problem says which word, and why. */
final class UsageException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String[] problems;

    UsageException(String problem, Throwable cause) {
        super(problem, cause);
        problems = new String[] {problem};
    }

    UsageException(String problem) {
        this(List.of(problem));
    }

    /** Not empty. */
    UsageException(List<String> problems) {
        super(String.join("\n", problems));
        this.problems = problems.toArray(new String[0]);
    }

    /** One line each. */
    List<String> problems() {
        return List.of(problems);
    }
}
