/** Quantities as people write them. Internal. */
@NullMarked
package io.sendfiled.units;

import org.jspecify.annotations.NullMarked;
