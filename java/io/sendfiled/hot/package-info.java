/**
 * The hot path: files that the kernel has in memory, opened, read and sent in the caller's own thread, which never waits for a
 * disk. What is not in memory is said to be cold, and left to the engine or to a daemon.
 *
 * <p>{@link io.sendfiled.hot.HotRoot} is a directory, {@link io.sendfiled.hot.HotFile} an open file below it.
 */
@NullMarked
package io.sendfiled.hot;

import org.jspecify.annotations.NullMarked;
