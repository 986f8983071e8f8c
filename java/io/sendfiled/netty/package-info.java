/** Files in Netty pipelines: what is hot goes out in the event loop, what only a disk can tell goes by the engine. */
@NullMarked
package io.sendfiled.netty;

import org.jspecify.annotations.NullMarked;
