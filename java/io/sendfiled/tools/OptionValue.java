package io.sendfiled.tools;

import io.sendfiled.technique.Technique;
import java.time.Duration;
import java.util.StringJoiner;

/** The values of options, out of the words of the command line. Pure. */
final class OptionValue {
    private OptionValue() {}

    /** A number of bytes; K, M and G mean 2^10, 2^20 and 2^30. */
    static long bytes(OptionSpec option, String text, long least) throws SfdException {
        int shift = 0;
        String digits = text;
        if (!text.isEmpty()) {
            switch (Character.toUpperCase(text.charAt(text.length() - 1))) {
                case 'K' -> shift = 10;
                case 'M' -> shift = 20;
                case 'G' -> shift = 30;
                default -> {}
            }
            digits = shift == 0 ? text : text.substring(0, text.length() - 1);
        }
        try {
            long number = Long.parseLong(digits);
            if (number >= least && number <= Long.MAX_VALUE >> shift) {
                return number << shift;
            }
        } catch (NumberFormatException e) {
            throw noBytes(option, text, least);
        }
        throw noBytes(option, text, least);
    }

    private static SfdException noBytes(OptionSpec option, String text, long least) {
        return wrong(option, text, "a number of bytes from " + least + " to 2^63 - 1");
    }

    /** A time, cut to whole nanoseconds. */
    static Duration seconds(OptionSpec option, String text, Duration most) throws SfdException {
        try {
            double seconds = Double.parseDouble(text);
            if (seconds > 0 && seconds <= most.toSeconds()) {
                return Duration.ofNanos(Math.max(1, (long) (seconds * 1e9)));
            }
            if (seconds > most.toSeconds()) {
                throw wrong(option, text, "a number of seconds up to " + most.toSeconds());
            }
        } catch (NumberFormatException e) {
            throw noSeconds(option, text);
        }
        throw noSeconds(option, text);
    }

    private static SfdException noSeconds(OptionSpec option, String text) {
        return wrong(option, text, "a number of seconds above 0");
    }

    /** A technique, by its name. */
    static Technique technique(String text) throws SfdException {
        Technique technique = Technique.of(text);
        if (technique == null) {
            throw wrong(OptionSpec.TECHNIQUE, text, "one of " + names());
        }
        return technique;
    }

    private static String names() {
        StringJoiner names = new StringJoiner(", ");
        for (Technique technique : Technique.values()) {
            names.add(technique.label());
        }
        return names.toString();
    }

    private static SfdException wrong(OptionSpec option, String text, String what) {
        return SfdException.usage("--" + option.word() + ": '" + SfdException.printable(text) + "' is not " + what);
    }
}
