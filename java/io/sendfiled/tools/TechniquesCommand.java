package io.sendfiled.tools;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.sendfiled.jni.TechniquesNative;
import io.sendfiled.technique.DestinationType;
import io.sendfiled.technique.Technique;
import io.sendfiled.technique.Techniques;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code sfd techniques}: which techniques this machine has, and which fit each destination. Asks the kernel, not a
 * daemon.
 */
final class TechniquesCommand {
    private static final int FIRST_COLUMN = 24;
    private static final String GAP = "  ";

    /** A kind of destination. */
    private record Row(String name, DestinationType type, int device, boolean blocking) {
        String label() {
            return name + (blocking ? ", blocking" : "");
        }

        boolean fits(Technique technique) {
            return technique.isIn(TechniquesNative.fits(type.code(), device, !blocking));
        }
    }

    private static final List<Row> ROWS = List.of(
            new Row("tcp", DestinationType.TCP, 0, false),
            new Row("tcp", DestinationType.TCP, 0, true),
            new Row("unix", DestinationType.UNIX, 0, false),
            new Row("unix", DestinationType.UNIX, 0, true),
            new Row("seqpacket", DestinationType.SEQPACKET, 0, false),
            new Row("pipe", DestinationType.PIPE, 0, false),
            new Row("pipe", DestinationType.PIPE, 0, true),
            new Row("file", DestinationType.FILE, 0, false),
            new Row("/dev/null, /dev/zero", DestinationType.DEVICE, TechniquesNative.DEVICE_NULL, false),
            new Row("/dev/full", DestinationType.DEVICE, TechniquesNative.DEVICE_FULL, false),
            new Row("terminal", DestinationType.DEVICE, TechniquesNative.DEVICE_TERMINAL, false));

    private TechniquesCommand() {}

    /** A table: {@code yes} if the technique fits, {@code missing} if it would fit but this machine lacks it. */
    static String text() {
        StringBuilder text = new StringBuilder(" ".repeat(FIRST_COLUMN));
        for (Technique technique : Technique.values()) {
            if (technique != Technique.AUTO) {
                text.append(GAP).append(technique.label());
            }
        }
        text.append('\n');
        for (Row row : ROWS) {
            StringBuilder line = new StringBuilder(pad(row.label(), FIRST_COLUMN));
            for (Technique technique : Technique.values()) {
                if (technique != Technique.AUTO) {
                    line.append(GAP)
                            .append(pad(cell(row, technique), technique.label().length()));
                }
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        for (Technique technique : Technique.values()) {
            String reason = Techniques.whyMissing(technique);
            if (reason != null) {
                text.append(technique.label())
                        .append(" is missing: ")
                        .append(reason)
                        .append('\n');
            }
        }
        return text.toString();
    }

    private static String cell(Row row, Technique technique) {
        if (!row.fits(technique)) {
            return "-";
        }
        return Techniques.whyMissing(technique) == null ? "yes" : "missing";
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }

    /** The same as JSON. */
    static String json() {
        JsonArray techniques = new JsonArray();
        for (Technique technique : Technique.values()) {
            if (technique != Technique.AUTO) {
                techniques.add(describe(technique));
            }
        }
        JsonArray destinations = new JsonArray();
        for (Row row : ROWS) {
            destinations.add(describe(row));
        }
        JsonObject object = new JsonObject();
        object.addProperty("command", Command.TECHNIQUES.word());
        object.add("techniques", techniques);
        object.add("destinations", destinations);
        return object.toString() + "\n";
    }

    private static JsonObject describe(Technique technique) {
        JsonObject object = new JsonObject();
        object.addProperty("name", technique.label());
        @Nullable String reason = Techniques.whyMissing(technique);
        object.addProperty("available", reason == null);
        if (reason != null) {
            object.addProperty("error", reason);
        }
        return object;
    }

    private static JsonObject describe(Row row) {
        JsonArray fits = new JsonArray();
        for (Technique technique : Technique.values()) {
            if (row.fits(technique) && Techniques.whyMissing(technique) == null) {
                fits.add(technique.label());
            }
        }
        JsonObject object = new JsonObject();
        object.addProperty("name", row.name());
        object.addProperty("blocking", row.blocking());
        object.add("fits", fits);
        return object;
    }
}
