package io.sendfiled.units;

/**
 * The numbers of transfers, as people read and write them: {@code LOOP-NUMBER}, both from 1. The number itself has the loop in
 * its upper 16 bits (native/core/transfer/observe.h), and is unique in the instance. Pure.
 */
public final class TransferId {
    private static final int SERIAL_BITS = 48;
    private static final long SERIAL = (1L << SERIAL_BITS) - 1;
    private static final int LOOP_MAX = 0x7fff;

    private TransferId() {}

    /** Such as {@code 1-2034}. */
    public static String format(long id) {
        return (id >>> SERIAL_BITS) + "-" + (id & SERIAL);
    }

    /**
     * The number of such a text, or of the number itself in decimal.
     *
     * @throws NumberFormatException if it is neither
     */
    public static long parse(String text) {
        int dash = text.indexOf('-');
        if (dash < 0) {
            return number(text, Long.MAX_VALUE);
        }
        return number(text.substring(0, dash), LOOP_MAX) << SERIAL_BITS | number(text.substring(dash + 1), SERIAL);
    }

    private static long number(String digits, long most) {
        long number = Long.parseLong(digits);
        if (number < 1 || number > most || digits.charAt(0) == '+') {
            throw new NumberFormatException(digits);
        }
        return number;
    }
}
