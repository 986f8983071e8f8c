/** The client libraries in C and Java, the examples and {@code sfd}, each against a real daemon. */
@NullMarked
package io.sendfiled.system.client;

import org.jspecify.annotations.NullMarked;
