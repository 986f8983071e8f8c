package io.sendfiled.tools;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.UnsupportedDescriptorException;
import java.io.FileDescriptor;

/**
 * Where data go. The launcher moves standard output to another descriptor, and names it in a system property, because
 * the JVM writes there as well: warnings, the threads after a SIGQUIT, what an agent says. Any thread.
 */
final class DataDescriptor {
    private static final String PROPERTY = "sendfiled.output";
    private static final int STDOUT = 1;

    private DataDescriptor() {}

    /** Its number, borrowed; -1 if standard output was closed. */
    static int number() {
        return Integer.getInteger(PROPERTY, STDOUT);
    }

    /** The same for the JDK's streams, for as long as the program runs. */
    static FileDescriptor get() {
        int number = number();
        try {
            return number == STDOUT ? FileDescriptor.out : Descriptors.ofNumber(number);
        } catch (UnsupportedDescriptorException | LinkageError e) {
            return FileDescriptor.out; // standard error, then: help and version can still be read
        }
    }
}
