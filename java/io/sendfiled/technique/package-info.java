/** The ways to move bytes: which there are, what they fit, and who chooses among them. */
@NullMarked
package io.sendfiled.technique;

import org.jspecify.annotations.NullMarked;
