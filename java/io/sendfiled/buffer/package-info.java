/** Memory that is handed to another process without copying it. */
@NullMarked
package io.sendfiled.buffer;

import org.jspecify.annotations.NullMarked;
