package io.sendfiled.config;

/**
 * A setting was given a value that it cannot take. The message reads {@code KEY: what is wrong (what is allowed)}; a
 * value is never repaired in silence.
 */
public final class InvalidSettingException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    private final Setting setting;
    private final String problem;

    /**
     * For who finds out what a single value does not tell.
     *
     * @param problem what is wrong, without the key
     */
    public InvalidSettingException(Setting setting, String problem) {
        super(setting.key() + ": " + problem);
        this.setting = setting;
        this.problem = problem;
    }

    InvalidSettingException(Setting setting, String problem, Throwable cause) {
        super(setting.key() + ": " + problem, cause);
        this.setting = setting;
        this.problem = problem;
    }

    /** The setting that was given the value. */
    public Setting setting() {
        return setting;
    }

    /** What is wrong and what is allowed, without the key. */
    public String problem() {
        return problem;
    }
}
