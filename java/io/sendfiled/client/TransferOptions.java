package io.sendfiled.client;

import io.sendfiled.protocol.RequestOptions;
import io.sendfiled.protocol.Wire;
import io.sendfiled.technique.Technique;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * How a file is to be moved, where the daemon's own choice is not wanted. Immutable; for {@link FileRequest#with}.
 *
 * <pre>{@code
 * TransferOptions.DEFAULT.withRate(1_000_000).withDeadline(Duration.ofMinutes(5))
 * }</pre>
 *
 * <p>{@link #DEFAULT} has no options, and is sent in the form that every daemon knows. Anything else needs a daemon
 * that knows options: an older one refuses it with {@code EPROTONOSUPPORT}. The answer to a request with options
 * includes {@linkplain TransferResult#details details}.
 *
 * <p>A class and not a record, so that a later option breaks no caller.
 */
public final class TransferOptions {
    private static final long NANOS_PER_MS = 1_000_000;

    /** The longest time that a request can carry: 2^32 - 1 milliseconds, or 49 days. */
    public static final Duration MAX_TIME = Duration.ofMillis(0xffff_ffffL);

    /** No options. */
    public static final TransferOptions DEFAULT =
            new TransferOptions(Technique.AUTO, 0, Duration.ZERO, Duration.ZERO, false, false, false, false);

    private final Technique technique;
    private final long rate;
    private final Duration idleTimeout;
    private final Duration deadline;
    private final boolean dropBehind;
    private final boolean moreFollows;
    private final boolean seal;
    private final boolean details;

    private TransferOptions(
            Technique technique,
            long rate,
            Duration idleTimeout,
            Duration deadline,
            boolean dropBehind,
            boolean moreFollows,
            boolean seal,
            boolean details) {
        if (rate < 0) {
            throw new IllegalArgumentException("negative rate " + rate);
        }
        checkTime("idle timeout", idleTimeout);
        checkTime("deadline", deadline);
        this.technique = technique;
        this.rate = rate;
        this.idleTimeout = idleTimeout;
        this.deadline = deadline;
        this.dropBehind = dropBehind;
        this.moreFollows = moreFollows;
        this.seal = seal;
        this.details = details;
    }

    private static void checkTime(String name, Duration time) {
        if (time.isNegative() || time.compareTo(MAX_TIME) > 0) {
            throw new IllegalArgumentException(name + " " + time + " is not between 0 and " + MAX_TIME);
        }
    }

    /** How the bytes are moved; the transfer is refused where it does not fit. */
    public Technique technique() {
        return technique;
    }

    /** The most bytes a second, from 1; 0: as many as the destination takes. */
    public long rate() {
        return rate;
    }

    /**
     * For how long no byte may be moved before the transfer fails with {@code ETIMEDOUT}; zero: as long as the daemon's
     * setting says.
     */
    public Duration idleTimeout() {
        return idleTimeout;
    }

    /**
     * For how long the transfer may take, from when the daemon receives the request, before it fails with
     * {@code ETIMEDOUT}; zero: no limit.
     */
    public Duration deadline() {
        return deadline;
    }

    /**
     * Whether what this transfer loads from the disk is dropped from the page cache again: for big files that will not
     * be read again soon.
     */
    public boolean dropBehind() {
        return dropBehind;
    }

    /**
     * Whether the caller goes on writing to the destination afterwards, so that the last packet of a TCP socket may wait for
     * what follows; {@code sendfile(2)} cannot do this.
     */
    public boolean moreFollows() {
        return moreFollows;
    }

    /**
     * Whether the destination, a memory file, is sealed against writing and against changes of its size before the transfer
     * is complete; any other destination is refused with {@code EINVAL}. {@link SendfiledClient#readBuffer} does this.
     */
    public boolean seal() {
        return seal;
    }

    /** Whether the result has details, even without another option. */
    public boolean details() {
        return details;
    }

    /** With this technique, and no other. {@link Technique#AUTO} leaves it to the daemon again. */
    public TransferOptions withTechnique(Technique value) {
        return new TransferOptions(value, rate, idleTimeout, deadline, dropBehind, moreFollows, seal, details);
    }

    /**
     * With at most so many bytes a second; 0: no limit.
     *
     * @throws IllegalArgumentException if it is negative
     */
    public TransferOptions withRate(long bytesPerSecond) {
        return new TransferOptions(
                technique, bytesPerSecond, idleTimeout, deadline, dropBehind, moreFollows, seal, details);
    }

    /**
     * With an idle timeout: fails with {@code ETIMEDOUT} when no byte was moved for this long. Rounded up to
     * milliseconds.
     *
     * @throws IllegalArgumentException if it is negative or above {@link #MAX_TIME}
     */
    public TransferOptions withIdleTimeout(Duration value) {
        return new TransferOptions(technique, rate, value, deadline, dropBehind, moreFollows, seal, details);
    }

    /**
     * With a deadline: fails with {@code ETIMEDOUT} when it is not complete this long after the daemon received the
     * request. Rounded up to milliseconds.
     *
     * @throws IllegalArgumentException if it is negative or above {@link #MAX_TIME}
     */
    public TransferOptions withDeadline(Duration value) {
        return new TransferOptions(technique, rate, idleTimeout, value, dropBehind, moreFollows, seal, details);
    }

    /** With or without {@link #dropBehind}. */
    public TransferOptions withDropBehind(boolean value) {
        return new TransferOptions(technique, rate, idleTimeout, deadline, value, moreFollows, seal, details);
    }

    /** With or without {@link #moreFollows}. */
    public TransferOptions withMoreFollows(boolean value) {
        return new TransferOptions(technique, rate, idleTimeout, deadline, dropBehind, value, seal, details);
    }

    /** With or without {@link #seal}. */
    public TransferOptions withSeal(boolean value) {
        return new TransferOptions(technique, rate, idleTimeout, deadline, dropBehind, moreFollows, value, details);
    }

    /** With or without the {@linkplain TransferResult#details details} of the result. */
    public TransferOptions withDetails(boolean value) {
        return new TransferOptions(technique, rate, idleTimeout, deadline, dropBehind, moreFollows, seal, value);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof TransferOptions that
                && technique == that.technique
                && rate == that.rate
                && idleTimeout.equals(that.idleTimeout)
                && deadline.equals(that.deadline)
                && dropBehind == that.dropBehind
                && moreFollows == that.moreFollows
                && seal == that.seal
                && details == that.details;
    }

    @Override
    public int hashCode() {
        return Objects.hash(technique, rate, idleTimeout, deadline, dropBehind, moreFollows, seal, details);
    }

    @Override
    public String toString() {
        return "TransferOptions[technique=" + technique + ", rate=" + rate + ", idleTimeout=" + idleTimeout
                + ", deadline=" + deadline + ", dropBehind=" + dropBehind + ", moreFollows=" + moreFollows + ", seal="
                + seal + ", details=" + details + "]";
    }

    /** The numbers of the wire. {@link #details} has none: every extended request is answered with them. */
    RequestOptions onTheWire() {
        int flags = (dropBehind ? Wire.FLAG_DROP_BEHIND : 0)
                | (moreFollows ? Wire.FLAG_MORE : 0)
                | (seal ? Wire.FLAG_SEAL : 0);
        return new RequestOptions(
                rate, milliseconds(idleTimeout), milliseconds(deadline), technique.code(), flags, Wire.VERSION_2);
    }

    /** Rounded up, as 32 bits without a sign. */
    private static int milliseconds(Duration time) {
        return (int) time.plusNanos(NANOS_PER_MS - 1).toMillis();
    }
}
