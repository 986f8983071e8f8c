/** The installed tree as its users find it: libraries, headers, manual pages and sources of examples. */
@NullMarked
package io.sendfiled.system.installed;

import org.jspecify.annotations.NullMarked;
