package io.sendfiled.tools;

import io.sendfiled.technique.Technique;
import io.sendfiled.units.ByteSizes;
import io.sendfiled.units.Times;
import java.time.Duration;
import java.util.StringJoiner;
import java.util.function.ToLongFunction;

/** The values of options, out of the words of the command line. Pure. */
final class OptionValue {
    private static final Duration SECOND = Duration.ofSeconds(1);

    private OptionValue() {}

    /** A number of bytes, from 0. */
    static long bytes(OptionSpec option, String text) throws SfdException {
        return number(
                option, text, ByteSizes::parse, 0, "a number of bytes from 0 to 2^63 - 1, such as 4096, 64K or 1G");
    }

    /** A number of bytes a second, above 0. */
    static long rate(OptionSpec option, String text) throws SfdException {
        return number(
                option,
                text,
                ByteSizes::parseRate,
                1,
                "a number of bytes a second from 1 to 2^63 - 1, such as 500K or 10MB/s");
    }

    private static long number(OptionSpec option, String text, ToLongFunction<String> parser, long least, String what)
            throws SfdException {
        long number;
        try {
            number = parser.applyAsLong(text);
        } catch (NumberFormatException | ArithmeticException e) {
            throw wrong(option, text, what);
        }
        if (number < least) {
            throw wrong(option, text, what);
        }
        return number;
    }

    /** A number from {@code least} to {@code most}. */
    static int number(OptionSpec option, String text, int least, int most) throws SfdException {
        boolean isNumber = !text.isEmpty() && text.length() <= 9 && text.chars().allMatch(c -> c >= '0' && c <= '9');
        int number = isNumber ? Integer.parseInt(text) : -1;
        if (number < least || number > most) {
            throw wrong(option, text, "a number from " + least + " to " + most);
        }
        return number;
    }

    /** A time; a number alone is seconds. */
    static Duration time(OptionSpec option, String text, Duration most) throws SfdException {
        Duration time;
        try {
            time = Times.parse(text, SECOND);
        } catch (NumberFormatException e) {
            throw noTime(option, text);
        } catch (ArithmeticException e) {
            time = most.plus(SECOND);
        }
        if (time.compareTo(most) > 0) {
            throw wrong(option, text, "a time up to " + Times.format(most.toSeconds() * 1000));
        }
        if (time.isNegative() || time.isZero()) {
            throw noTime(option, text);
        }
        return time;
    }

    private static SfdException noTime(OptionSpec option, String text) {
        return wrong(option, text, "a time above 0, such as 500ms, 30 or 5m");
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
