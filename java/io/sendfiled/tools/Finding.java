package io.sendfiled.tools;

/**
 * What {@code sfd doctor} has found at one place.
 *
 * @param what the thing that was looked at
 * @param detail what was found
 * @param remedy what to do, and so empty if all is well
 */
record Finding(Level level, String what, String detail, String remedy) {
    /** How bad it is. */
    enum Level {
        OK("ok"),
        /** It works, but not as well as it could. */
        WARN("warn"),
        /** It does not work. */
        FAIL("FAIL");

        private final String word;

        Level(String word) {
            this.word = word;
        }

        String word() {
            return word;
        }
    }

    static Finding ok(String what, String detail) {
        return new Finding(Level.OK, what, detail, "");
    }

    static Finding warn(String what, String detail, String remedy) {
        return new Finding(Level.WARN, what, detail, remedy);
    }

    static Finding fail(String what, String detail, String remedy) {
        return new Finding(Level.FAIL, what, detail, remedy);
    }
}
