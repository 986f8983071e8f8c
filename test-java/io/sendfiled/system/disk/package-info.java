/** Disks that are slow, dead or broken, and those beside them who do not wait. */
@NullMarked
package io.sendfiled.system.disk;

import org.jspecify.annotations.NullMarked;
