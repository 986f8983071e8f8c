package io.sendfiled.system;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Runs a parameterized test, or class, on the daemon as a process; {@code ./dev test --all} runs it on the embedded
 * engine as well. What differs between the two takes {@code @EnumSource(TestDaemon.Kind.class)} instead, and runs on
 * both in every run.
 */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@MethodSource("io.sendfiled.system.TestDaemon#kinds")
public @interface EachKind {}
