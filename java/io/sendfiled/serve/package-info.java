/** The HTTP server of {@code sfd serve}: files of a directory, by Netty and an embedded engine. */
@NullMarked
package io.sendfiled.serve;

import org.jspecify.annotations.NullMarked;
