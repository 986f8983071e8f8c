/** What an engine counts. */
@NullMarked
package io.sendfiled.counters;

import org.jspecify.annotations.NullMarked;
