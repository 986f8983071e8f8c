/** Descriptors of the operating system, and its error numbers: what natives answer, as Java has it. */
@NullMarked
package io.sendfiled.sys;

import org.jspecify.annotations.NullMarked;
