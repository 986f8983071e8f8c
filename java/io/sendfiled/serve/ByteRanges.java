package io.sendfiled.serve;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The ranges of a request that are inside a file: RFC 9110, section 14.
 *
 * @param ranges in the order of the request; empty: none is satisfiable
 */
record ByteRanges(List<ByteRange> ranges) {
    /** More than these are answered with the whole file. */
    static final int MOST = 32;

    private static final String UNIT = "bytes=";

    /**
     * A part of a file.
     *
     * @param offset its first byte
     * @param length bytes, above 0
     */
    record ByteRange(long offset, long length) {
        /** The value of Content-Range. */
        String contentRange(long size) {
            return "bytes " + offset + "-" + (offset + length - 1) + "/" + size;
        }
    }

    /**
     * Reads a Range header. Null: it is to be ignored, because it is malformed, of another unit, has too many ranges, or asks for
     * more bytes than the file has.
     */
    static @Nullable ByteRanges parse(String header, long size) {
        if (!header.toLowerCase(Locale.ROOT).startsWith(UNIT)) {
            return null;
        }
        String[] specs = header.substring(UNIT.length()).split(",", -1);
        List<ByteRange> ranges = new ArrayList<>();
        int count = 0;
        long sum = 0;
        for (String given : specs) {
            String spec = given.strip();
            if (spec.isEmpty()) {
                continue; // a list may have empty elements
            }
            int dash = spec.indexOf('-');
            if (dash < 0 || ++count > MOST) {
                return null;
            }
            long first = number(spec.substring(0, dash));
            long last = number(spec.substring(dash + 1));
            boolean isSuffix = dash == 0;
            if (isSuffix ? last < 0 : first < 0 || (dash + 1 < spec.length() && last < first)) {
                return null;
            }
            long begin = isSuffix ? Math.max(0, size - last) : first;
            long end = isSuffix || dash + 1 == spec.length()
                    ? size
                    : Math.min(size, last == Long.MAX_VALUE ? size : last + 1);
            if (begin < end) {
                ranges.add(new ByteRange(begin, end - begin));
                sum += end - begin;
            }
        }
        return count == 0 || (sum > size && ranges.size() > 1) ? null : new ByteRanges(ranges);
    }

    /** Decimal digits, however many; -1: it is none. */
    private static long number(String digits) {
        if (digits.isEmpty()) {
            return -1;
        }
        long value = 0;
        for (int i = 0; i < digits.length(); i++) {
            int digit = digits.charAt(i) - '0';
            if (digit < 0 || digit > 9) {
                return -1;
            }
            value = value > (Long.MAX_VALUE - digit) / 10 ? Long.MAX_VALUE : value * 10 + digit;
        }
        return value;
    }
}
