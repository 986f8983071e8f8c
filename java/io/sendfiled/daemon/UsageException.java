package io.sendfiled.daemon;

/** The command line is wrong; the message says which word, and why. */
final class UsageException extends Exception {
    private static final long serialVersionUID = 1L;

    UsageException(String message, Throwable cause) {
        super(message, cause);
    }

    UsageException(String message) {
        super(message);
    }
}
