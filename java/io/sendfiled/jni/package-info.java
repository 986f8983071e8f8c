/** The only door to native code: the library's loader, descriptors, errno values, and the classes that have natives. */
@NullMarked
package io.sendfiled.jni;

import org.jspecify.annotations.NullMarked;
