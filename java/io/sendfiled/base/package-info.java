/** What every layer needs: a log that never throws, and the reclaiming of what was not closed. */
@NullMarked
package io.sendfiled.base;

import org.jspecify.annotations.NullMarked;
