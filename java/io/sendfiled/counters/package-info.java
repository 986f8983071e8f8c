/** Counters that the daemon keeps and tools read. */
@NullMarked
package io.sendfiled.counters;

import org.jspecify.annotations.NullMarked;
