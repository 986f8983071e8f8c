package io.sendfiled.hot;

import java.lang.ref.WeakReference;
import java.util.concurrent.locks.LockSupport;

/**
 * Closes what the cache of a {@link HotRoot} keeps open and nobody asks for any more, also when no file is opened there.
 *
 * <p>A thread for each root with a cache. It sleeps while the cache keeps nothing, and ends when the root is closed or was
 * forgotten, which it does not prevent.
 */
final class CacheSweeper extends Thread {
    private final WeakReference<HotRoot> root;
    private volatile boolean sleeps;

    CacheSweeper(HotRoot root) {
        super(null, null, "sendfiled-hot-cache", 0, false); // inherits no thread locals
        this.root = new WeakReference<>(root);
        setDaemon(true);
        setContextClassLoader(null); // it may outlive the application that has forgotten the root
    }

    /** The root was closed, or is gone. Any thread; never waits. */
    void end() {
        LockSupport.unpark(this);
    }

    /** The cache may keep a file that it has not kept before. Any thread; never waits. */
    void wake() {
        if (sleeps) {
            sleeps = false;
            LockSupport.unpark(this);
        }
    }

    @Override
    public void run() {
        long nanos = sweep();
        while (nanos >= 0) {
            if (nanos > 0) {
                LockSupport.parkNanos(this, nanos);
            } else {
                sleep();
            }
            nanos = sweep();
        }
    }

    private void sleep() {
        sleeps = true; // before the question: who opens a file has it kept, and then looks here
        if (sweep() == 0) {
            LockSupport.park(this);
        }
        sleeps = false;
    }

    /** As {@link HotRoot#sweep}. */
    private long sweep() {
        HotRoot swept = root.get();
        return swept == null ? -1 : swept.sweep();
    }

    /** Does nothing: the thread is nobody's to interrupt, and would not sleep any more. */
    @Override
    public void interrupt() {}
}
