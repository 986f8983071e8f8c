/** The same in servers that are made of Netty. They need more than this library: the server that each is named after. */
@NullMarked
package io.sendfiled.examples.netty;

import org.jspecify.annotations.NullMarked;
