package io.sendfiled.config;

import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.jni.PlacesNative;
import io.sendfiled.jni.PlacesNative.Place;
import io.sendfiled.names.Names;
import java.nio.file.Path;
import java.util.List;

/**
 * Where daemons have their request sockets: {@code $SENDFILED_SOCKET_DIR}, or the first that can be used of {@code
 * $XDG_RUNTIME_DIR}, {@code /run/sendfiled/NAME}, {@code /run/sendfiled} and the private {@code /tmp/sendfiled-UID}. The
 * rule itself is in C, because C clients obey the same: {@code native/core/base/socket_places.h}.
 *
 * <p>Stateless, any thread; touches the disk.
 */
public final class SocketDirectories {
    private SocketDirectories() {}

    /** The request socket's name inside its directory. */
    public static String socketFile(String name) {
        return "sendfiled." + name + ".socket";
    }

    /** The control socket's name inside the same directory. */
    public static String controlFile(String name) {
        return "sendfiled." + name + ".control";
    }

    /**
     * Where a daemon of this user serves when it was told nothing else; made if it is missing.
     *
     * @throws InvalidSettingException when no place can be used, with the reason for each and the remedy
     */
    public static Path forDaemon(String name) {
        if (!NativeLibrary
                .isAvailable()) { // no engine can serve, but a client that does without has a configuration, too
            return Path.of(System.getProperty("java.io.tmpdir", "/tmp")).toAbsolutePath();
        }
        List<Place> places = PlacesNative.choose(Names.bytes(name));
        Place last = places.isEmpty() ? null : places.get(places.size() - 1);
        if (last == null || last.error() != 0) {
            throw new InvalidSettingException(
                    Setting.SOCKET_DIRECTORY,
                    "no directory can be used" + (last == null ? "" : " (" + describe(places) + ")") + "; give one");
        }
        return Names.absolute(Names.path(last.path()));
    }

    /**
     * Each place where a client looks for that instance, and what is there, for a message; empty if it is no name of an
     * instance, or there is no descriptor to look with.
     */
    public static String searched(String name) {
        return describe(PlacesNative.find(Names.bytes(name)));
    }

    private static String describe(List<Place> places) {
        StringBuilder text = new StringBuilder();
        for (Place place : places) {
            text.append(text.length() == 0 ? "" : "; ")
                    .append(Names.printable(Names.text(place.path())))
                    .append(": ")
                    .append(place.reason());
        }
        return text.toString();
    }
}
