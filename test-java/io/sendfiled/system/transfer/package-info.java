/** What arrives of a file, whatever the destination, the technique and the options: each byte once, and its end. */
@NullMarked
package io.sendfiled.system.transfer;

import org.jspecify.annotations.NullMarked;
