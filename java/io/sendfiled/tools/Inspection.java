package io.sendfiled.tools;

import io.sendfiled.counters.CountersFile;
import io.sendfiled.counters.CountersFile.Writer;
import io.sendfiled.counters.CountersReading;
import io.sendfiled.jni.PlacesNative;
import io.sendfiled.jni.PlacesNative.Place;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;

/**
 * What a daemon's file of counters says, and what has become of that daemon. Nothing is asked of the daemon.
 *
 * @param reading what it says
 * @param writer what has become of its process
 */
record Inspection(CountersReading reading, Writer writer) {
    private static final String DEFAULT_NAME = "default";

    /**
     * Reads the files of the instance that the options name: of a daemon that another one follows there are two.
     *
     * @throws SfdException if there is none, or none may be read
     */
    static List<Inspection> of(Arguments arguments) throws SfdException {
        String asked = arguments.value(OptionSpec.NAME);
        String name = asked == null ? DEFAULT_NAME : asked;
        String directory = arguments.value(OptionSpec.SOCKET_DIRECTORY);
        StringBuilder searched = new StringBuilder();
        List<Path> places = directory == null ? places(name, searched) : List.of(Names.path(directory));
        for (Path place : places) {
            List<Inspection> found = read(place, name);
            if (!found.isEmpty()) {
                return found;
            }
        }
        String where = directory == null ? " (" + searched + ")" : " in " + SfdException.printable(directory);
        throw SfdException.unreachable("no counters of an instance " + SfdException.printable(name) + where);
    }

    /** Where a client looks, without what somebody else could have put there. */
    private static List<Path> places(String name, StringBuilder searched) {
        List<Path> places = new ArrayList<>();
        for (Place place : PlacesNative.find(Names.bytes(name))) {
            Path parent = Names.path(place.path()).getParent();
            searched.append(searched.length() == 0 ? "" : ", ").append(Names.printable(Names.text(place.path())));
            if (parent != null && place.error() != Errno.EPERM && place.error() != -Errno.EPERM) {
                places.add(parent);
            }
        }
        return places;
    }

    private static List<Inspection> read(Path directory, String name) throws SfdException {
        List<Inspection> found = new ArrayList<>();
        List<CountersFile> files = List.of();
        try {
            files = CountersFile.open(directory, name);
            for (CountersFile file : files) {
                CountersReading reading = file.read();
                found.add(new Inspection(reading, CountersFile.writer(reading)));
            }
        } catch (AccessDeniedException e) {
            throw SfdException.forbidden(Names.printable(Path.of(e.getFile()))
                    + ": only the daemon's user, its group and root may look at its counters");
        } catch (IOException e) {
            throw SfdException.failed(String.valueOf(e.getMessage()));
        } finally {
            for (CountersFile file : files) {
                close(file);
            }
        }
        return found;
    }

    private static void close(CountersFile file) {
        try {
            file.close();
        } catch (IOException e) {
            // It was only read.
        }
    }

    /** Whether its process is there, perhaps stopped. */
    boolean isThere() {
        return writer == Writer.RUNNING || writer == Writer.STOPPED;
    }

    /** One line: which daemon, and how it is. */
    String title() {
        String who = "sendfiled '" + SfdException.printable(reading.name()) + "', pid " + reading.pid() + ": ";
        String last = utc(reading.lastTurnAt());
        return who
                + switch (writer) {
                    case RUNNING -> "serving since " + utc(reading.startedAt()) + " (" + age() + ")";
                    case STOPPED -> "stopped (SIGSTOP) after " + last;
                    case GONE -> "killed or crashed after " + last;
                    case ENDED -> "ended at " + last;
                };
    }

    private String age() {
        return Columns.time(
                Math.max(0, Duration.between(reading.startedAt(), Instant.now()).toNanos()));
    }

    /** In UTC, as the access log: what a JVM knows of time zones, and of formats, takes it longer than all the rest here. */
    private static String utc(Instant time) {
        LocalDateTime at = LocalDateTime.ofEpochSecond(time.getEpochSecond(), 0, ZoneOffset.UTC);
        String clock = at.toLocalTime().toString();
        return at.toLocalDate() + "T" + clock + (at.getSecond() == 0 ? ":00" : "") + "Z";
    }
}
