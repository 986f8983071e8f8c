package io.sendfiled.daemon;

/** The jars of the program. Stateless; any thread. */
final class ClassPath {
    private ClassPath() {}

    /**
     * Has the JVM open all jars of its class path, which it then keeps. It would not while every class comes out of the
     * archive, and take the first one that does not out of what an upgrade or a removal has left in the jars' place by
     * then. Reads the jars' directories: milliseconds, once.
     */
    static void open() {
        try {
            Class.forName(ClassPath.class.getPackageName() + ".NoClass"); // which is in none of them
        } catch (ClassNotFoundException e) {
            return;
        }
        throw new AssertionError("there is a class NoClass");
    }
}
