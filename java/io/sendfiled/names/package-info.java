/** Names are bytes: every way in and out for those of files, between the process, the JDK and C. Internal. */
@NullMarked
package io.sendfiled.names;

import org.jspecify.annotations.NullMarked;
