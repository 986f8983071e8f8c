/** The wire protocol, version 1: requests encoded and decoded, responses decoded, on views of byte buffers. */
@NullMarked
package io.sendfiled.protocol;

import org.jspecify.annotations.NullMarked;
