/** The engine, embedded or as a daemon: loops, the dispatcher of requests, the disk pool and the watchdog. Internal. */
@NullMarked
package io.sendfiled.engine;

import org.jspecify.annotations.NullMarked;
