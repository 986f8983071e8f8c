/**
 * How the requests of a client reach an engine, and how its messages come back: the one place that knows where the engine is.
 * Internal; {@code io.sendfiled.client} is the public form.
 */
@NullMarked
package io.sendfiled.transport;

import org.jspecify.annotations.NullMarked;
