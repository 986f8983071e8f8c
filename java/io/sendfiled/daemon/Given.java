package io.sendfiled.daemon;

import io.sendfiled.config.Setting;

/**
 * A value of a setting as somebody wrote it, unchecked. Immutable.
 *
 * @param text names in it are {@linkplain io.sendfiled.names.Names texts}
 */
record Given(Setting setting, String text, Origin origin) {}
