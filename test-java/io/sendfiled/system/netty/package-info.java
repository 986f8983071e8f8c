/** Files in Netty pipelines: real event loops and sockets, over an engine in this process and over a daemon. */
@NullMarked
package io.sendfiled.system.netty;

import org.jspecify.annotations.NullMarked;
