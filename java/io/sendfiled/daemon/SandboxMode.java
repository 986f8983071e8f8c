package io.sendfiled.daemon;

import java.util.Locale;

/** Whether the daemon's process restricts itself to what it needs. */
public enum SandboxMode {
    /** It does, or does not start. */
    ON,
    /** It does not. */
    OFF,
    /** It does as far as the kernel can, and says what is missing. */
    AUTO;

    /** The mode of a value of {@link Setting#SANDBOX}. */
    public static SandboxMode of(String word) {
        return valueOf(word.toUpperCase(Locale.ROOT));
    }
}
