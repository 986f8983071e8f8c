package io.sendfiled.support;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.condition.EnabledIf;

/** A test that takes too long for every change: it runs in {@code ./dev test --all} only. */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@EnabledIf(value = "io.sendfiled.support.Scale#all", disabledReason = "too long for every change: ./dev test --all")
public @interface Lengthy {}
