package io.sendfiled.support;

/**
 * The size of a test that has two: small enough for every build, and as big as someone asks for by hand with
 * {@code -Dsendfiled.NAME=N}.
 */
public final class Scale {
    private Scale() {}

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
