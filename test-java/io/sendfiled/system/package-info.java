/** Tests of the whole: real daemons from {@code target/dist}, real clients, real files. */
@NullMarked
package io.sendfiled.system;

import org.jspecify.annotations.NullMarked;
