/** The program as a process: how it starts, confines itself, drains and ends. */
@NullMarked
package io.sendfiled.system.process;

import org.jspecify.annotations.NullMarked;
