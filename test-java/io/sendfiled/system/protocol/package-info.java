/** What a request may say and who may send it: the answer to each, byte by byte, and what is refused. */
@NullMarked
package io.sendfiled.system.protocol;

import org.jspecify.annotations.NullMarked;
