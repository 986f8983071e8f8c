/** The only door to native code: the loader of the library, and the classes that have natives. Internal. */
@NullMarked
package io.sendfiled.jni;

import org.jspecify.annotations.NullMarked;
