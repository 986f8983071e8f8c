package io.sendfiled.tools;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.sendfiled.client.FileDetails;
import io.sendfiled.client.FileInfo;
import io.sendfiled.client.TransferDetails;
import io.sendfiled.client.TransferResult;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import io.sendfiled.units.Numbers;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a command prints at its end, as text or as JSON, on standard output unless the file's bytes go there. One
 * thread.
 */
final class Report {
    private static final int STDERR = 2;
    private static final String[] UNITS = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private final Arguments arguments;
    private final StandardOutput out;
    private final PrintStream err;

    Report(Arguments arguments, StandardOutput out, PrintStream err) {
        this.arguments = arguments;
        this.out = out;
        this.err = err;
    }

    /** A bar for so many bytes, which the caller closes; it shows nothing if none is wanted. */
    Progress progress(long total) {
        return new Progress(arguments.pathText(), total, err, wantsProgress());
    }

    private boolean wantsProgress() {
        return !arguments.isSet(OptionSpec.JSON)
                && !arguments.isSet(OptionSpec.QUIET)
                && !(dataGoToStandardOutput() && out.isTerminal()); // bar and data would mix
    }

    /** Whether the end of a transfer is reported. */
    private boolean tellsResults() {
        return arguments.isSet(OptionSpec.JSON) || (wantsProgress() && Descriptors.isTerminal(STDERR));
    }

    void info(FileInfo info) throws SfdException {
        if (arguments.isSet(OptionSpec.JSON)) {
            print(result(info));
            return;
        }
        long size = info.size();
        FileDetails details = info.details();
        out.print("path      " + SfdException.printable(arguments.pathText()) + "\n"
                + "size      " + size + (size < 1024 ? " bytes" : " bytes (" + human(size) + ")") + "\n"
                + "modified  " + info.modified() + "\n"
                + "changed   " + info.changed() + "\n"
                + "accessed  " + info.accessed() + "\n"
                + (details == null
                        ? ""
                        : "mode      " + octal(details.mode()) + "\n"
                                + "inode     " + Long.toUnsignedString(details.inode()) + "\n"
                                + "device    " + device(details.device()) + "\n"));
    }

    /** How far a command is that moves no file. */
    void progress(String text) {
        if (wantsProgress()) {
            err.println("sfd: " + text);
        }
    }

    /** The result of a command that moves no file. */
    void done(String text, Map<String, Object> values) throws SfdException {
        if (arguments.isSet(OptionSpec.JSON)) {
            JsonObject object = begin();
            values.forEach((name, value) -> object.add(name, value(value)));
            print(object);
        } else if (!arguments.isSet(OptionSpec.QUIET)) {
            out.print(text + "\n");
        }
    }

    /** What {@code sfd doctor} has found. */
    void findings(List<Finding> findings) throws SfdException {
        if (arguments.isSet(OptionSpec.JSON)) {
            JsonArray all = new JsonArray();
            for (Finding finding : findings) {
                JsonObject object = new JsonObject();
                object.addProperty("level", finding.level().name().toLowerCase(Locale.ROOT));
                object.addProperty("what", finding.what());
                object.addProperty("detail", finding.detail());
                if (!finding.remedy().isEmpty()) {
                    object.addProperty("remedy", finding.remedy());
                }
                all.add(object);
            }
            JsonObject object = begin();
            object.add("findings", all);
            print(object);
            return;
        }
        StringBuilder text = new StringBuilder();
        for (Finding finding : findings) {
            text.append(String.format("%-5s %s: %s%n", finding.level().word(), finding.what(), finding.detail()));
            if (!finding.remedy().isEmpty()) {
                text.append("      -> ").append(finding.remedy()).append('\n');
            }
        }
        out.print(text.toString());
    }

    private static JsonPrimitive value(Object value) {
        return value instanceof Number number
                ? new JsonPrimitive(number)
                : value instanceof Boolean is ? new JsonPrimitive(is) : new JsonPrimitive(value.toString());
    }

    void transferred(TransferResult result) throws SfdException {
        if (arguments.isSet(OptionSpec.JSON)) {
            JsonObject object = result(result.info());
            object.addProperty("bytesMoved", result.bytesMoved());
            object.addProperty("elapsedMs", milliseconds(result.elapsed()));
            TransferDetails details = result.details();
            if (details != null) {
                object.addProperty("technique", details.technique().label());
                object.addProperty("coldWindows", details.coldWindows());
                object.addProperty("daemonElapsedMs", milliseconds(details.elapsed()));
            }
            print(object);
        } else if (tellsResults()) {
            err.println(SfdException.printable(arguments.pathText()) + ": " + summary(result));
        }
    }

    /** Such as {@code "1.5 GiB in 2.00 s, 768.0 MiB/s, by sendfile, 3 cold windows"}. */
    static String summary(TransferResult result) {
        double seconds = Math.max(result.elapsed().toNanos(), 1) / 1e9;
        StringBuilder text = new StringBuilder(human(result.bytesMoved()) + " in " + Numbers.fixed(seconds, 2) + " s, "
                + human((long) (result.bytesMoved() / seconds)) + "/s");
        TransferDetails details = result.details();
        if (details != null) {
            if (details.technique() != Technique.AUTO) { // AUTO: no byte was moved
                text.append(", by ").append(details.technique().label());
            }
            text.append(", ")
                    .append(details.coldWindows())
                    .append(details.coldWindows() == 1 ? " cold window" : " cold windows");
        }
        return text.toString();
    }

    private static double milliseconds(Duration time) {
        return Math.round(time.toNanos() / 1e3) / 1e3;
    }

    /** What is said of bytes that arrived before a failure. */
    static String where(String kept) {
        return "; what arrived is in " + SfdException.printable(kept);
    }

    /**
     * Tells a failure.
     *
     * @param kept the file that holds what arrived before, or null
     */
    void failure(SfdException e, @Nullable String kept) {
        String message = e.getMessage() + (kept == null ? "" : where(kept));
        if (!arguments.isSet(OptionSpec.JSON)) {
            err.println("sfd: " + message);
            return;
        }
        JsonObject object = begin();
        object.addProperty("error", message);
        if (e.errno() != 0) {
            object.addProperty("errno", e.errno());
            object.addProperty("errnoName", Errno.name(e.errno()));
        }
        if (arguments.requiredCommand().hasPath()) {
            object.addProperty("bytesMoved", e.bytesMoved());
        }
        if (kept != null) {
            object.addProperty("partial", kept);
        }
        object.addProperty("exitCode", e.exitCode());
        try {
            print(object);
        } catch (SfdException unwritten) { // standard output fails as well, or was what failed
            err.println("sfd: " + message);
        }
    }

    private JsonObject begin() {
        JsonObject object = new JsonObject();
        object.addProperty("command", arguments.requiredCommand().word());
        object.addProperty(arguments.requiredCommand().hasPath() ? "path" : "name", arguments.pathText());
        return object;
    }

    private JsonObject result(FileInfo info) {
        JsonObject object = begin();
        object.addProperty("size", info.size());
        object.addProperty("modified", info.modified().toString());
        object.addProperty("changed", info.changed().toString());
        object.addProperty("accessed", info.accessed().toString());
        FileDetails details = info.details();
        if (details != null) {
            object.addProperty("fileSize", details.size());
            object.addProperty("mode", octal(details.mode()));
            object.addProperty(
                    "inode", Long.toUnsignedString(details.inode())); // 64 bits are too many for some readers
            object.addProperty("device", device(details.device()));
        }
        return object;
    }

    /** As {@code stat -c %a} has the permissions, in four digits. */
    private static String octal(int mode) {
        return String.format(Locale.ROOT, "%04o", mode & 07777);
    }

    /** MAJOR:MINOR, as {@code stat -c %Hd:%Ld} has it; the numbers are put together as gnu_dev_makedev(3) does. */
    private static String device(long device) {
        long major = (device >>> 8 & 0xfff) | (device >>> 32 & 0xffff_f000L);
        long minor = (device & 0xff) | (device >>> 12 & 0xffff_ff00L);
        return major + ":" + minor;
    }

    /** On standard output, unless a file's bytes go there. */
    private void print(JsonObject object) throws SfdException {
        String text = Names.escaped(object.toString());
        if (dataGoToStandardOutput()) {
            err.println(text);
        } else {
            out.print(text + "\n");
        }
    }

    private boolean dataGoToStandardOutput() {
        return switch (arguments.requiredCommand()) {
            case READ, SEND -> arguments.target().isStandardOutput();
            default -> false;
        };
    }

    /** A number of bytes for people: {@code "1.5 GiB"}. */
    static String human(long bytes) {
        int unit = 0;
        double value = bytes;
        while (value >= 1024 && unit < UNITS.length - 1) {
            value /= 1024;
            unit++;
        }
        return unit == 0 ? bytes + " bytes" : Numbers.fixed(value, 1) + " " + UNITS[unit];
    }
}
