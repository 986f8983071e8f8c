package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Where a daemon's request socket is, and goes: the natives of the one rule, {@code native/core/base/socket_places.h},
 * which C clients obey as well. It reads the environment of the process.
 *
 * <p>Stateless, any thread; touches the disk, and waits for nothing else.
 */
public final class PlacesNative {
    private static final int PLACES_MAX = 4;
    private static final int PATH_SIZE = 256;
    private static final int REASON_SIZE = 92;

    private static final Layout PLACE = new Layout("place");
    private static final int ERROR = PLACE.i32("error");
    private static final int PATH = PLACE.array("path", PATH_SIZE, Byte.BYTES);
    private static final int REASON = PLACE.array("reason", REASON_SIZE, Byte.BYTES);

    static {
        NativeLibrary.ensureAvailable();
        PLACE.check();
    }

    /** A place that was looked at. */
    public static final class Place {
        private final int error;
        private final byte[] path;
        private final String reason;

        private Place(int error, byte[] path, String reason) {
            this.error = error;
            this.path = path;
            this.reason = reason;
        }

        /** 0 if it is the one, else an errno. */
        public int error() {
            return error;
        }

        /** The path of the socket, or of its directory where one is made or chosen. */
        public byte[] path() {
            return path.clone();
        }

        /** The error in words; empty if it is 0. */
        public String reason() {
            return reason;
        }
    }

    private PlacesNative() {}

    /**
     * All places where a client looks for that instance, in order; those with error 0 have a daemon that listens.
     *
     * @return none where it is no name of an instance, or there is no descriptor to look with
     */
    public static List<Place> find(byte[] name) {
        ByteBuffer out = room();
        return places(out, find0(string(name), out));
    }

    /**
     * Connects a request socket, which is borrowed, to the first daemon of that name that listens.
     *
     * @param where gets the bytes of its socket's path, in its first element
     * @return 0, or -errno: ENOENT, ECONNREFUSED (no process serves it), EACCES, EPROTOTYPE, EPERM (no place that can
     *     be believed), EINVAL (no name of an instance)
     */
    public static int connect(int socket, byte[] name, byte[][] where) {
        ByteBuffer out = room();
        int result = connect0(socket, string(name), out);
        where[0] = place(out, 0).path();
        return result;
    }

    /**
     * The directories that a daemon of that name could have its socket in, up to and with the first that it can use: its
     * error is 0. Makes that one if it is missing.
     *
     * @return none where it is no name of an instance
     */
    public static List<Place> choose(byte[] name) {
        ByteBuffer out = room();
        return places(out, choose0(string(name), out));
    }

    /** As root: makes the directory in {@code /run/sendfiled} for an instance that will run as that user and group. */
    public static Place make(byte[] name, int uid, int gid) {
        ByteBuffer out = room();
        var unused = make0(string(name), uid, gid, out); // the place has it as well
        return place(out, 0);
    }

    private static ByteBuffer room() {
        return ByteBuffer.allocateDirect(PLACES_MAX * PLACE.size()).order(ByteOrder.nativeOrder());
    }

    /** A name that has a NUL is none: C would see only what is before it. */
    private static ByteBuffer string(byte[] name) {
        byte[] bytes = name;
        for (byte b : name) {
            bytes = b == 0 ? new byte[0] : bytes;
        }
        return ServiceNative.buffer(bytes);
    }

    private static List<Place> places(ByteBuffer all, int count) {
        List<Place> places = new ArrayList<>(PLACES_MAX);
        for (int i = 0; i < count; i++) {
            places.add(place(all, i));
        }
        return places;
    }

    private static Place place(ByteBuffer all, int index) {
        int at = index * PLACE.size();
        byte[] reason = bytes(all, at + REASON, REASON_SIZE);
        return new Place(
                all.getInt(at + ERROR), bytes(all, at + PATH, PATH_SIZE), new String(reason, StandardCharsets.UTF_8));
    }

    private static byte[] bytes(ByteBuffer all, int begin, int size) {
        byte[] bytes = new byte[size];
        all.get(begin, bytes);
        int length = 0;
        while (length < size && bytes[length] != 0) {
            length++;
        }
        return Arrays.copyOf(bytes, length);
    }

    private static native int find0(ByteBuffer name, ByteBuffer out);

    private static native int connect0(int socket, ByteBuffer name, ByteBuffer out);

    private static native int choose0(ByteBuffer name, ByteBuffer out);

    private static native int make0(ByteBuffer name, int uid, int gid, ByteBuffer out);
}
