/** The daemon: its event loops, dispatcher and disk pool, and the command line around them. */
@NullMarked
package io.sendfiled.daemon;

import org.jspecify.annotations.NullMarked;
