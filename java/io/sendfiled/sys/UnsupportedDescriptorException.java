package io.sendfiled.sys;

import java.io.IOException;

/** A Java object whose descriptor this library does not know how to find, on the JDK that the message names. */
public final class UnsupportedDescriptorException extends IOException {
    private static final long serialVersionUID = 1L;

    UnsupportedDescriptorException(Class<?> type) {
        super("no descriptor known in " + type.getName() + " of " + System.getProperty("java.vendor") + " JDK "
                + System.getProperty("java.version") + "; pass a channel of the JDK's default provider");
    }
}
