package io.sendfiled.units;

import java.util.regex.Pattern;

/**
 * A stream socket's address that nobody outside of the machine reaches, as people write it: {@code unix:/PATH}, or {@code
 * HOST:PORT} with a number of the loopback interface (or {@code localhost}, which is 127.0.0.1). No name is looked up.
 *
 * @param path absolute; empty: it is a port
 * @param host a number; empty: it is a path
 */
public record LocalAddress(String path, String host, int port) {
    private static final String UNIX = "unix:";
    private static final Pattern IPV4 = Pattern.compile("127(\\.(25[0-5]|2[0-4]\\d|1?\\d?\\d)){3}");
    private static final Pattern PORT = Pattern.compile("[1-9]\\d{0,4}");
    private static final int PORT_MAX = 65535;

    /**
     * Reads it.
     *
     * @throws IllegalArgumentException that says what it has to look like
     */
    public static LocalAddress parse(String text) {
        if (text.startsWith(UNIX)) {
            String path = text.substring(UNIX.length());
            if (!path.startsWith("/") || path.endsWith("/")) {
                throw new IllegalArgumentException("a socket's path is absolute: unix:/PATH");
            }
            return new LocalAddress(path, "", 0);
        }
        int colon = text.lastIndexOf(':');
        String port = text.substring(colon + 1);
        if (colon < 0 || !PORT.matcher(port).matches() || Integer.parseInt(port) > PORT_MAX) {
            throw new IllegalArgumentException("must be unix:/PATH, or HOST:PORT with a port from 1 to " + PORT_MAX);
        }
        String host = text.substring(0, colon);
        if (host.equals("localhost")) {
            host = "127.0.0.1";
        } else if (host.equals("[::1]")) {
            host = "::1";
        } else if (!IPV4.matcher(host).matches()) {
            throw new IllegalArgumentException(
                    "must be an address of the loopback interface: 127.0.0.1, [::1] or" + " localhost");
        }
        return new LocalAddress("", host, Integer.parseInt(port));
    }

    /** Whether it is a path. */
    public boolean isPath() {
        return !path.isEmpty();
    }

    /** As it is read. */
    @Override
    public String toString() {
        return isPath() ? UNIX + path : (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }
}
