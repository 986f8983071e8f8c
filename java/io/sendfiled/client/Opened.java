package io.sendfiled.client;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** What an {@link OpenFile} stands for, which does not know it: so it can be found forgotten. Thread-safe. */
interface Opened {
    FileRequest request();

    /** Its content, in place of an open file; null: it is open. */
    default @Nullable ByteBuffer content() {
        return null;
    }

    /** Begins to send or to discard the file. False if that has been done before. */
    boolean use();

    /** Sends it, once it is used. Never throws because of the destination. */
    Transfer send(Destination destination);

    /** Closes it, once it is used. */
    void discard();

    /** Nobody can use it any more. On the cleaner's thread, also after it was used. */
    void onUnreachable();
}
