/** The counters for Prometheus, by HTTP: what the program sendfiled serves with {@code --metrics}. Internal. */
@NullMarked
package io.sendfiled.metrics;

import org.jspecify.annotations.NullMarked;
