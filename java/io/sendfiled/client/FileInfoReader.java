package io.sendfiled.client;

import io.sendfiled.protocol.ResponseDecoder;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** Makes a {@link FileInfo} of the engine's File Details, which may be missing, and the File Information behind them. */
final class FileInfoReader {
    private @Nullable FileDetails details;
    private int accessNanos;
    private int modificationNanos;
    private int changeNanos;

    /** Takes the File Details that were decoded. False if they make no sense. */
    boolean takeDetails(ResponseDecoder decoder) {
        if (details != null || decoder.size() < 0) {
            return false;
        }
        details = new FileDetails(decoder.size(), decoder.inode(), decoder.device(), decoder.mode());
        accessNanos = decoder.accessNanos();
        modificationNanos = decoder.modificationNanos();
        changeNanos = decoder.changeNanos();
        return true;
    }

    /**
     * Of the File Information that was decoded.
     *
     * @param before bytes of the transfer that the engine does not know of
     */
    FileInfo toInfo(ResponseDecoder decoder, long before) {
        return new FileInfo(
                decoder.size() + before,
                instant(decoder.accessTime(), accessNanos),
                instant(decoder.modificationTime(), modificationNanos),
                instant(decoder.changeTime(), changeNanos),
                details);
    }

    /** A file system may store any 64-bit number as a time; the last Instant is in the year 1,000,000,000. */
    private static Instant instant(long seconds, int nanos) {
        long possible = Math.max(Instant.MIN.getEpochSecond(), Math.min(Instant.MAX.getEpochSecond(), seconds));
        return Instant.ofEpochSecond(possible, possible == seconds ? Math.max(0, Math.min(999_999_999, nanos)) : 0);
    }
}
