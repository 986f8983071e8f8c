/** The engine for programs that embed it. A program that only asks a daemon needs {@link io.sendfiled.client}. */
@NullMarked
package io.sendfiled;

import org.jspecify.annotations.NullMarked;
