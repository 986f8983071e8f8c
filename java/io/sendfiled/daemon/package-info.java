/** The program sendfiled: the command line, the identity and the sandbox of a process around one engine. Internal. */
@NullMarked
package io.sendfiled.daemon;

import org.jspecify.annotations.NullMarked;
