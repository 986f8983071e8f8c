package io.sendfiled.support;

/** The techniques, by PROTOCOL.md and not by our enumeration. */
public enum Way {
    AUTO(0),
    SENDFILE(1),
    SPLICE(2),
    MMAP(3),
    READ_WRITE(4),
    COPY_FILE_RANGE(5);

    private final int number;

    Way(int number) {
        this.number = number;
    }

    /** On the wire. */
    public int number() {
        return number;
    }

    static Way of(int number) {
        for (Way way : values()) {
            if (way.number == number) {
                return way;
            }
        }
        throw new AssertionError("no technique " + number);
    }

    /** A mask in which the bits of these are set, as a refusal tells what would fit. */
    static int mask(Way... ways) {
        int mask = 0;
        for (Way way : ways) {
            mask |= 1 << way.number;
        }
        return mask;
    }
}
