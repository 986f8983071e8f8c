package io.sendfiled.tools;

import com.google.gson.JsonObject;
import io.sendfiled.client.FileDetails;
import io.sendfiled.client.FileInfo;
import io.sendfiled.client.TransferDetails;
import io.sendfiled.client.TransferResult;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Descriptors;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;

/**
 * What a command prints at its end, as text or as JSON, on standard output unless the file's bytes go there. One
 * thread.
 */
final class Report {
    private static final int STDERR = 2;
    private static final String[] UNITS = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private final Arguments arguments;
    private final OutputStream out;
    private final PrintStream err;

    Report(Arguments arguments, OutputStream out, PrintStream err) {
        this.arguments = arguments;
        this.out = out;
        this.err = err;
    }

    /** Standard error. */
    PrintStream messages() {
        return err;
    }

    /** Whether a progress bar is wanted, if there is a terminal. */
    boolean wantsProgress() {
        return !arguments.isSet(OptionSpec.JSON)
                && !arguments.isSet(OptionSpec.QUIET)
                && !(dataGoToStandardOutput()
                        && Descriptors.isTerminal(DataDescriptor.number())); // bar and data would mix
    }

    /** Whether the end of a transfer is reported. */
    boolean tellsResults() {
        return arguments.isSet(OptionSpec.JSON) || (wantsProgress() && Descriptors.isTerminal(STDERR));
    }

    void info(FileInfo info) {
        if (arguments.isSet(OptionSpec.JSON)) {
            print(result(info));
            return;
        }
        PrintStream stream = data();
        stream.println("path      " + SfdException.printable(arguments.pathText()));
        stream.println(
                "size      " + info.size() + (info.size() < 1024 ? " bytes" : " bytes (" + human(info.size()) + ")"));
        stream.println("modified  " + info.modified());
        stream.println("changed   " + info.changed());
        stream.println("accessed  " + info.accessed());
        FileDetails details = info.details();
        if (details != null) {
            stream.println("mode      " + octal(details.mode()));
            stream.println("inode     " + Long.toUnsignedString(details.inode()));
            stream.println("device    " + device(details.device()));
        }
        stream.flush();
    }

    void transferred(TransferResult result) {
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
        StringBuilder text = new StringBuilder(
                String.format(Locale.ROOT, "%s in %.2f s, %s/s", human(result.bytesMoved()), seconds, human((long)
                        (result.bytesMoved() / seconds))));
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

    void failure(SfdException e) {
        if (!arguments.isSet(OptionSpec.JSON)) {
            err.println("sfd: " + e.getMessage());
            return;
        }
        JsonObject object = begin();
        object.addProperty("error", e.getMessage());
        if (e.errno() != 0) {
            object.addProperty("errno", e.errno());
            object.addProperty("errnoName", Errno.name(e.errno()));
        }
        object.addProperty("bytesMoved", e.bytesMoved());
        object.addProperty("exitCode", e.exitCode());
        print(object);
    }

    private JsonObject begin() {
        JsonObject object = new JsonObject();
        object.addProperty("command", arguments.requiredCommand().word());
        object.addProperty("path", arguments.pathText());
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

    private void print(JsonObject object) {
        PrintStream stream = dataGoToStandardOutput() ? err : data();
        stream.println(Names.escaped(object.toString()));
        stream.flush();
    }

    private boolean dataGoToStandardOutput() {
        return switch (arguments.requiredCommand()) {
            case READ -> arguments.value(OptionSpec.OUTPUT) == null;
            case SEND -> "-".equals(arguments.value(OptionSpec.TO));
            case STAT, TECHNIQUES -> false;
        };
    }

    private PrintStream data() {
        return new PrintStream(out, false, StandardCharsets.UTF_8);
    }

    /** A number of bytes for people: {@code "1.5 GiB"}. */
    static String human(long bytes) {
        int unit = 0;
        double value = bytes;
        while (value >= 1024 && unit < UNITS.length - 1) {
            value /= 1024;
            unit++;
        }
        return unit == 0 ? bytes + " bytes" : String.format(Locale.ROOT, "%.1f %s", value, UNITS[unit]);
    }
}
