package io.sendfiled.engine;

import io.sendfiled.jni.EngineNative;
import io.sendfiled.jni.Turn;
import io.sendfiled.sys.Errno;
import org.jspecify.annotations.Nullable;

/**
 * A thread that carries event loops: runs a turn in C, then dispatches the requests and tasks in its turn buffer,
 * repeatedly. A thread that sits in a system call loses its loop to a spare one, which waits in {@code poll} until then
 * ({@code native/core/loop/carrier.c}).
 *
 * <p>Waits only in epoll, or for a loop. Allocates nothing for a request that needs no disk; a task for the disk pool
 * costs one object.
 */
final class Carrier implements Runnable {
    private final long carrier;
    private final Turn turn;
    private final Dispatcher dispatcher;
    private final DiskPool diskPool;
    private final @Nullable SelectorCaller selector;
    private final @Nullable LocalReceiver receiver;
    private final Carriers owner;

    /**
     * @param carrier the handle, which {@link #run} may destroy
     * @param turn of that carrier
     * @param dispatcher of that turn
     * @param selector selects the techniques that requests do not name; null when there is none
     * @param receiver of messages to requests of this process; null when there are none
     */
    Carrier(
            long carrier,
            Turn turn,
            Dispatcher dispatcher,
            DiskPool diskPool,
            @Nullable SelectorCaller selector,
            @Nullable LocalReceiver receiver,
            Carriers owner) {
        this.carrier = carrier;
        this.turn = turn;
        this.dispatcher = dispatcher;
        this.diskPool = diskPool;
        this.selector = selector;
        this.receiver = receiver;
        this.owner = owner;
    }

    @Override
    public void run() {
        try {
            int result = EngineNative.poll(carrier);
            while (result >= 0) {
                dispatcher.dispatch();
                if (selector != null) {
                    selector.decide(turn);
                }
                offload();
                if (receiver != null) {
                    receiver.receive(turn);
                }
                result = EngineNative.poll(carrier);
            }
            if (result == -Errno.ETIMEDOUT) {
                EngineNative.destroyCarrier(carrier);
            } else if (result != -Errno.ESHUTDOWN) {
                owner.fail(new IllegalStateException("an event loop has ended: " + Errno.describe(-result)));
            }
        } catch (Throwable t) { // reported by Engine.failure(); the loop's clients see EOF
            owner.fail(t);
            throw t;
        } finally {
            owner.ended(Thread.currentThread());
        }
    }

    private void offload() {
        int count = turn.offloads();
        for (int i = 0; i < count; i++) {
            diskPool.execute(turn.queue(i), turn.task(i), turn.isUrgent(i), turn.user(i), turn.client(i));
        }
    }
}
