/** The benchmark harness and the demonstration: programs, not tests; they run against {@code target/dist}. */
@NullMarked
package io.sendfiled.bench;

import org.jspecify.annotations.NullMarked;
