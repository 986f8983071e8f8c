package io.sendfiled.tools;

import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.UnsupportedDescriptorException;
import java.io.FileDescriptor;

/**
 * Where data go. The launcher moves standard output to another descriptor, and names it in a system property, because
 * the JVM writes there as well: warnings, the threads after a SIGQUIT, what an agent says. Any thread.
 */
final class StandardOutput {
    /** A number; -1 if standard output was closed. */
    private static final String PROPERTY = "sendfiled.output";

    private StandardOutput() {}

    /** The descriptor for data, for as long as the program runs. */
    static FileDescriptor descriptor() {
        Integer number = Integer.getInteger(PROPERTY);
        try {
            return number == null ? FileDescriptor.out : Descriptors.ofNumber(number);
        } catch (UnsupportedDescriptorException | LinkageError e) {
            return FileDescriptor.out; // standard error, then: help and version can still be read
        }
    }
}
