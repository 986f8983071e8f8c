/**
 * Programs that show how the Java API is used, each worth copying: two HTTP servers, and memory that is handed over. They use
 * what any program can, and come with a package.
 */
@NullMarked
package io.sendfiled.examples;

import org.jspecify.annotations.NullMarked;
