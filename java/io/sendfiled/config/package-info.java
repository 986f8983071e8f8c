/** The settings: one table that feeds the parser, the help text and the checks, and where sockets are found. */
@NullMarked
package io.sendfiled.config;

import org.jspecify.annotations.NullMarked;
