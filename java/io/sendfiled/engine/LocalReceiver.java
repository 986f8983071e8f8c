package io.sendfiled.engine;

import io.sendfiled.jni.Turn;

/** Takes what an engine tells to requests of this process. */
public interface LocalReceiver {
    /**
     * Takes the messages of one turn. On the thread of an event loop, which it must not hold; several loops call it at once.
     * Must not throw.
     */
    void receive(Turn turn);

    /**
     * Starts what threads it needs, because {@link Engine#wakeHousekeeper} was called. On the housekeeper's thread, since that
     * may wait.
     *
     * @return false if it is to be tried again
     */
    boolean startThreads();
}
