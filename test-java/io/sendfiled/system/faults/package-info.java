/** What goes wrong around a daemon and a client: failing system calls, crashes, shortages, and long disorder. */
@NullMarked
package io.sendfiled.system.faults;

import org.jspecify.annotations.NullMarked;
