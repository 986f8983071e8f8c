/** The command-line client, sfd. */
@NullMarked
package io.sendfiled.tools;

import org.jspecify.annotations.NullMarked;
