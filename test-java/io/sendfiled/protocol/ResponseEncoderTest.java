package io.sendfiled.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.protocol.ResponseDecoder.Event;
import io.sendfiled.protocol.ResponseEncoder.Stat;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** What it encodes is what the decoder, which the golden vectors hold to the protocol, finds. */
final class ResponseEncoderTest {
    private final ResponseDecoder decoder = new ResponseDecoder();

    @Test
    void shouldTellOfAFile() {
        Stat stat = new Stat(1L << 40, -2, 77, 0100644, -1, 1_234_567_890_123_456_789L, 5_000_000_006L);
        ByteBuffer messages = ResponseEncoder.fileInformation(stat, 99, 42);

        assertFalse(ResponseDecoder.isFinal(messages, 0, messages.limit()));
        assertEquals(Event.FILE_DETAILS, decoder.next(messages));
        assertEquals(1L << 40, decoder.size());
        assertEquals(-2, decoder.inode());
        assertEquals(77, decoder.device());
        assertEquals(0100644, decoder.mode());
        assertEquals(999_999_999, decoder.accessNanos());
        assertEquals(123_456_789, decoder.modificationNanos());
        assertEquals(6, decoder.changeNanos());
        assertEquals(Event.FILE_INFO, decoder.next(messages));
        assertEquals(99, decoder.size());
        assertEquals(-1, decoder.accessTime());
        assertEquals(1_234_567_890, decoder.modificationTime());
        assertEquals(5, decoder.changeTime());
        assertEquals(42, decoder.transferId());
        assertEquals(Event.NEED_MORE, decoder.next(messages));
    }

    @Test
    void shouldTellOfTheEnd() {
        ByteBuffer progress = ResponseEncoder.progress(12);
        assertFalse(ResponseDecoder.isFinal(progress, 0, progress.limit()));
        assertEquals(Event.PROGRESS, decoder.next(progress));
        assertEquals(12, decoder.size());

        ByteBuffer refusal = ResponseEncoder.refusal(Errno.ENOENT);
        assertTrue(ResponseDecoder.isFinal(refusal, 0, refusal.limit()));
        assertEquals(Event.REFUSED_EXTENDED, decoder.next(refusal));
        assertEquals(Errno.ENOENT, decoder.errno());
        assertEquals(0, decoder.fits());

        for (int errno : new int[] {0, Errno.EPIPE}) {
            ByteBuffer result = ResponseEncoder.result(errno, 7, 8, Technique.SENDFILE);
            assertTrue(ResponseDecoder.isFinal(result, 0, result.limit()));
            assertEquals(Event.RESULT, decoder.next(result));
            assertEquals(errno, decoder.errno());
            assertEquals(7, decoder.size());
            assertEquals(8, decoder.elapsedNs());
            assertEquals(Technique.SENDFILE, Technique.of(decoder.technique()));
        }
    }
}
