package io.sendfiled.support;

/**
 * How much is tested: what every change can pay for, or all of it; and of a test that has a size, as much as someone asks
 * for by hand with {@code -Dsendfiled.NAME=N}.
 */
public final class Scale {
    private Scale() {}

    /** Whether this is {@code ./dev test --all}, which runs also what is too long for every change. */
    public static boolean all() {
        return Boolean.getBoolean("sendfiled.test.all");
    }

    /**
     * How much of something a test does.
     *
     * @param name of the system property, without its {@code sendfiled.}
     * @param standard what every build does
     */
    public static int of(String name, int standard) {
        String key = "sendfiled." + name;
        String value = System.getProperty(key);
        if (value == null) {
            return standard;
        }
        int number = Integer.parseInt(value);
        if (number < 1) {
            throw new IllegalArgumentException(key + "=" + value + ": wants 1 or more");
        }
        return number;
    }
}
