package io.sendfiled.system;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Connects a {@link io.sendfiled.support.RawClient} to the class's {@link Daemon} before each test and keeps it in this
 * field. It is closed after the test, before the daemon's descriptors are counted.
 */
@Target(ElementType.FIELD)
@Retention(RetentionPolicy.RUNTIME)
public @interface Connected {}
