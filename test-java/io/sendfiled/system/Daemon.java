package io.sendfiled.system;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Starts a daemon for a test class and keeps it in this field, which is a {@link TestDaemon}.
 *
 * <p>A static field has one daemon for all tests of the class, or of each invocation of a parameterized class; a field
 * of the instance has one for each test. Its directory is that of the class's field with {@code @TempDir}, which is
 * static if this one is. Its kind is the class's parameter if that is a {@link TestDaemon.Kind}; otherwise it is a
 * process.
 *
 * <p>A process that root starts runs as another user, who owns none of the files that the test makes, as a daemon's user
 * owns little of what it serves. Where the tests do not run as root, the files are its own; that is said once.
 *
 * <p>After each test, before the methods with {@code @AfterEach}, it must be well and have no more descriptors than at
 * its start.
 */
@Target(ElementType.FIELD)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(DaemonExtension.class)
public @interface Daemon {
    /** What differs from {@link TestDaemon.Options#STANDARD}, as on the command line: {@code "loops=1"}. */
    String[] value() default {};

    /** Whether it runs as the test's own user, and owns the test's files, because the test needs that. */
    boolean ownsFiles() default false;
}
