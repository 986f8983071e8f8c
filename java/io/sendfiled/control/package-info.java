/** The control socket of the program sendfiled: what its administrator asks of it while it serves. Internal. */
@NullMarked
package io.sendfiled.control;

import org.jspecify.annotations.NullMarked;
