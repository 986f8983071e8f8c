/** The Java client: transfers as futures, files as channels. */
@NullMarked
package io.sendfiled.client;

import org.jspecify.annotations.NullMarked;
