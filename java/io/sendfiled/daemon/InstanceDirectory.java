package io.sendfiled.daemon;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.jni.PlacesNative;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import org.jspecify.annotations.Nullable;

/**
 * The directory of the request socket of a daemon that root starts: made in {@code /run/sendfiled}, and given to the
 * user that the daemon becomes, who cannot make it. Main thread, while the process is still root.
 */
final class InstanceDirectory {
    private InstanceDirectory() {}

    /**
     * Makes it and sets it, unless another directory is given.
     *
     * @return why it could not be made; then the daemon's user finds another place. Null if all is well
     * @throws StartException if an instance of that name runs, or no instance can have that name there
     */
    static @Nullable String make(ProgramConfig settings, int uid, int gid) throws StartException {
        SendfiledConfig.Builder engine = settings.engine();
        if (engine.isSet(Setting.SOCKET_DIRECTORY)) {
            return null;
        }
        byte[] name = Names.bytes(engine.name());
        PlacesNative.Place place = PlacesNative.make(name, uid, gid);
        String path = Names.printable(Names.text(place.path()));
        switch (place.error()) {
            case 0 -> {
                engine.socketDirectory(Names.path(place.path()));
                return null;
            }
            case Errno.EADDRINUSE -> {
                int pid = ProcessNative.instanceHolder(place.path(), name);
                throw new StartException(
                        Errno.EADDRINUSE,
                        "an instance named '" + Names.printable(engine.name()) + "' is already running as another user"
                                + (pid > 0 ? " (pid " + pid + ")" : "") + " in " + path);
            }
            case Errno.ENAMETOOLONG ->
                throw new StartException(
                        Errno.ENAMETOOLONG,
                        settings.label(Setting.NAME) + ": the socket in " + path + " would have a path that is "
                                + place.reason() + ": use a shorter name, or --" + Setting.SOCKET_DIRECTORY.key());
            default -> {
                return path + ": " + place.reason();
            }
        }
    }
}
