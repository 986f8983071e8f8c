package io.sendfiled.jni;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Natives of the engine and its loops. Handles are owned by {@code io.sendfiled.daemon}; a handle that was destroyed must
 * not be used again.
 *
 * <p>Only {@link #poll}, {@link #work}, {@link #runWatchdog} and {@link #awaitChores} wait: in epoll or for a loop, for a
 * disk, between two looks of the watchdog, and until there is something to do.
 */
public final class EngineNative {
    /** Queue of the disk pool for closes that can block; see {@code enum sfd_queue}. */
    public static final int QUEUE_CLOSE = 0;

    /** Queue of the disk pool for opens. */
    public static final int QUEUE_OPEN = 1;

    /** Queue of the disk pool for closes of sockets that wait for their peer. */
    public static final int QUEUE_LINGER = 2;

    /** How many queues there are: close, open, linger, and one for each device. */
    public static final int QUEUES = 3 + 64;

    /** The most bytes of a file whose content an open can ask for. */
    public static final int MOST_CONTENT = 16 * 1024;

    static {
        NativeLibrary.ensureAvailable();
    }

    private EngineNative() {}

    /**
     * Binds the request socket, opens the root and makes the loops. May block on the disk.
     *
     * @param socketDirectory null: there is no request socket, and what says how to make it is ignored
     * @param root null: requests that come by a socket have none
     * @param numbers one for each setting of the core, in the order of the table in {@code native/jni/jni_engine.c}
     * @param rules two numbers each, at most 16: most bytes; kinds of destinations (bits 0-15), blocking (16-23) and
     *     technique (24-31)
     * @param selector whether somebody answers the selections that turns leave open
     * @param socketMode of the request socket: 0600, 0660 or 0666
     * @param socketGroup its group, of 0660; where this process may not give it to that group, the mode is 0666
     * @param laneUsers users that get a request socket of their own beside it; {@link #lanesError} tells whether all did
     * @param passedFd the request socket, as {@link ServiceNative#socket} has taken it; -1: one is made and bound
     * @param handover what another process of the instance leaves ({@link SuccessionNative#describe}), with descriptors of
     *     this process, which are taken; then nothing is received before {@link SuccessionNative#resume}. null: nobody does
     * @return a handle (above 0), or -errno: {@code EADDRINUSE} when an instance of that name is running
     */
    public static native long create(
            byte @Nullable [] socketDirectory,
            byte[] name,
            byte @Nullable [] root,
            long[] numbers,
            long[] rules,
            boolean selector,
            int socketMode,
            int socketGroup,
            int[] laneUsers,
            int passedFd,
            long @Nullable [] handover);

    /** Why some of the users have no request socket of their own: 0, they all have one, or -errno. */
    public static native int lanesError(long engine);

    /** Why its counters are in no file: 0, they are, or it has no request socket; or -errno. */
    public static native int countersError(long engine);

    /**
     * Tries the system calls that nothing can replace.
     *
     * @param call gets the name of the one that is missing: the kernel lacks it, or a seccomp filter around this process
     *     refuses it; nothing if there was no descriptor for the attempt
     * @return 0 or -errno
     */
    public static native int demandCalls(byte[] call);

    /**
     * Other settings hold from here on, as {@code sfd_engine_reload} of native/core/engine.h says.
     *
     * @param numbers as {@link #create} has them
     * @param rules as {@link #create} has them
     * @return 0, or -errno: {@code EINVAL} when one differs that only a start can change
     */
    public static native int reload(long engine, long[] numbers, long[] rules);

    /**
     * The user whose processes are served: the one that this process acts as; -1, which nobody is, if in its user
     * namespace that is the overflow user, as which all appear that it does not know.
     */
    public static native int clientUid();

    /** Whether each client is known as one process; see {@code sfd_engine_tells_clients}. */
    public static native boolean tellsClients(long engine);

    /**
     * From here on no client can connect, and requests for new transfers are refused with {@code ESHUTDOWN}, with which
     * opened files that are not being sent end as well; other transfers go on. Idempotent. Any thread but a loop's.
     */
    public static native void drain(long engine);

    /** After {@link #drain}: whether no transfer is left, and every request that was received was answered. Any thread. */
    public static native boolean isDrained(long engine);

    /** How many transfers there are, including those that wait for room for their final message. Any thread. */
    public static native int transfers(long engine);

    /**
     * Has a transfer end, whoever its client is; any thread, never waits.
     *
     * @param id as its row in the counters has it
     * @return 0, or -errno: ESRCH (there is none), ENOMEM
     */
    public static native int cancelTransfer(long engine, long id);

    /** Whether there is such a transfer, which has not ended. Any thread. */
    public static native boolean hasTransfer(long engine, long id);

    /** The errno with which requests cannot be received, at every try for a second or more; 0: none. Any thread. */
    public static native int receiveError(long engine);

    /** Removes the request socket; idempotent. No loop may receive any more: each is stopped, or waits for the disk pool. */
    public static native void closeEndpoint(long engine);

    /** Frees the engine, its loops and its carriers. No thread may be in {@link #poll} or {@link #work}. */
    public static native void destroy(long engine);

    /**
     * Looks for threads that are held in one call: their loops go to spare threads, and after 250 ms a signal interrupts
     * the call, if a signal can. Then waits until the next look is due, and while no loop works until one does or {@link
     * #wakeWatchdog} is called. Over and over, on one thread.
     *
     * @param pending whether carriers are being added, so that it waits although some are missing, 100 ms at most
     * @return how many carriers are missing, each with a thread; then it has not waited, unless {@code pending}
     */
    public static native int runWatchdog(long engine, boolean pending);

    /**
     * Whether every loop, and the watchdog, has done something since the last call, for which they are woken. One thread
     * at a time, while they run; some seconds should lie between two calls.
     */
    public static native boolean probe(long engine);

    /** A new carrier without a loop: its handle, to be polled by one new thread; or -errno. Any thread. */
    public static native long addCarrier(long engine);

    /** Ends a wait of {@link #runWatchdog}, or the next one. Any thread. */
    public static native void wakeWatchdog(long engine);

    /**
     * Waits until {@link #wakeChores} was called, somebody has touched the request socket, or the time is over. Over and
     * over, on one thread.
     *
     * @param timeoutMs -1: no limit
     */
    public static native void awaitChores(long engine, int timeoutMs);

    /** Ends a wait of {@link #awaitChores}, or the next one. Any thread; never waits. */
    public static native void wakeChores(long engine);

    /** How many carriers are to be added now, each with a thread. Any thread. */
    public static native int missingCarriers(long engine);

    /**
     * Gives the request socket its name back, if somebody has removed it.
     *
     * @return 0 when it has its name, 1 when it has it again; -errno when nobody can connect: {@code EEXIST} when the name
     *     is somebody else's, {@code ENOENT} when nothing is left to make it from
     */
    public static native int lookAtSocket(long engine);

    /** The handle of a loop, valid until {@link #destroy}. */
    public static native long loop(long engine, int index);

    /** The handle of the carrier that a loop begins with. */
    public static native long carrier(long loop);

    /** A carrier's turn buffer, laid out as {@link Turn} says; valid as long as the carrier. */
    public static native ByteBuffer turn(long carrier);

    /** What an engine counts, native-endian, laid out as {@link CountersLayout} says; valid until {@link #destroy}. */
    public static native ByteBuffer counters(long engine);

    /**
     * One turn of the loop that the carrier has, or gets; always on the same thread. 0, or -errno: {@code ESHUTDOWN} when
     * the loop has stopped, or all have; {@code ETIMEDOUT} when the carrier is not needed any more.
     */
    public static native int poll(long carrier);

    /** Frees a carrier whose {@link #poll} gave {@code ETIMEDOUT}, or that was never polled. */
    public static native void destroyCarrier(long carrier);

    /** Prepares the calling thread for {@link #work}: when it wakes, it does not preempt an event loop. */
    public static native void beginWork();

    /** Runs one offloaded task of a turn on the calling thread, exactly once. Blocks as long as the disk likes. */
    public static native void work(long task);

    /** Makes the loop stop; {@link #poll} of its carrier tells when it has. Any thread. */
    public static native void stop(long loop);

    /**
     * One more root for {@link #submit}, any number. Blocks on the disk. Any thread.
     *
     * @param follow each request resolves the path anew; else it is opened here, for good
     * @return its handle (above 0), which lives until {@link #removeRoot} or {@link #destroy}; or -errno
     */
    public static native long addRoot(long engine, byte[] path, boolean follow);

    /** Closes a root as soon as no request needs it. No thread may use the handle now or later. */
    public static native void removeRoot(long engine, long root);

    /**
     * Submits a request of this process, past the socket. Never waits, but for the closes of a request that is refused
     * at once. Any thread; no thread may be in it once all loops have stopped and {@link #destroy} is called.
     *
     * <p>What becomes of it is told in the turn buffer of its loop's carrier ({@link Turn#messages}), byte for byte what the
     * status channel of an extended request of version 2 carries. The last message is a Result or a Refusal, always: a
     * request that is cancelled ends with {@code ECANCELED}, one whose engine stops with {@code ESHUTDOWN}, and these come
     * before {@link #poll} tells {@code ESHUTDOWN}. The thread of a loop may read messages, the last one as well, before this
     * has returned.
     *
     * @param ticket what its messages are marked with
     * @param owner for whom: any number of the caller's choice. Owners have the limits and
     *     the fair turns that client processes have of a daemon
     * @param command {@code Wire.OPEN_FILE}, {@code SEND_FILE}, {@code SEND_DESCRIPTOR}; or {@code READ_FILE}, a SEND_FILE to
     *     a pipe, which is enlarged for the file
     * @param root of {@link #addRoot}; ignored, and may be 0, of a SEND_DESCRIPTOR
     * @param path below the root; null of a SEND_DESCRIPTOR
     * @param destination taken, also on failure; -1 of an OPEN_FILE
     * @param source a regular file, taken, also on failure; -1 unless it is a SEND_DESCRIPTOR
     * @param length -1: to the end of the file; 0 with segments, as the offset
     * @param segments as on the wire; null if the count is 0
     * @param technique the code of one; 0: the engine chooses
     * @param rate bytes a second, 0: no limit
     * @param idleMs 0: the setting
     * @param deadlineMs 0: none
     * @param contentMost of an OPEN_FILE, up to {@link #MOST_CONTENT}: the file was just not found in the kernel's caches, and one (or its
     *     range) of at most so many bytes is not left open: its content comes with its File Information, and a Result; 0: neither
     * @return a handle (above 0); or -errno, and then no message comes: {@code EINVAL}, {@code ENOENT} (an empty path),
     *     {@code ENAMETOOLONG}, {@code E2BIG} and {@code EMSGSIZE} (segments), {@code ERANGE}, {@code ENOMEM}, {@code
     *     ESHUTDOWN} (the engine has stopped)
     */
    public static native long submit(
            long engine,
            long ticket,
            long owner,
            int command,
            long root,
            byte @Nullable [] path,
            int destination,
            int source,
            long offset,
            long length,
            byte @Nullable [] segments,
            int segmentCount,
            int technique,
            int flags,
            long rate,
            int idleMs,
            int deadlineMs,
            int contentMost);

    /**
     * Sends a file that an OPEN_FILE has opened, once, after its File Information has come. If the request is over, the
     * descriptor is closed, and nothing else happens. Never waits. Any thread.
     *
     * @param destination taken
     */
    public static native void sendOpened(long request, int destination);

    /** Ends a request, unless it is over. Cannot fail, never waits, idempotent. Any thread, before {@link #release}. */
    public static native void cancel(long request);

    /** The handle is not used any more: once, after the final message. */
    public static native void release(long request);
}
