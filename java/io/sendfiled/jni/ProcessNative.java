package io.sendfiled.jni;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The daemon as a process: identity, limits, signals, the report to a waiting parent, the detached child, its messages.
 * Each method gives a value from 0 up, or a negated errno, and is described in native/core/process/process.h.
 *
 * <p>For the program's main thread; {@link #awaitSignal} and {@link #detach} block. An embedded engine uses only what tells
 * who its clients are: users, groups and their members.
 */
public final class ProcessNative {
    /** Where a waiting parent listens. */
    public static final int REPORT_FD = 3;

    /** What {@link #awaitSignal} gives when the configuration is to be read again. */
    public static final int SIGHUP = 1;

    /** What {@link #awaitSignal} gives when the access log is to be opened anew. */
    public static final int SIGUSR1 = 10;

    /** The system property that a detached child is started with. */
    public static final String DETACHED_PROPERTY = "sendfiled.detached";

    private static final int MEMBERS = 1024;
    private static final int MOST_MEMBERS = 1 << 24;

    static {
        NativeLibrary.ensureAvailable();
    }

    private ProcessNative() {}

    /** The effective user of this process. */
    public static native int effectiveUid();

    /**
     * Looks a user up, by name or number. May ask a directory service, so it may block.
     *
     * @param ids gets the numbers of the user and of its group
     * @return 0, or -errno: ENOENT when there is no such user
     */
    public static int lookupUser(byte[] user, int[] ids) {
        ByteBuffer buffer = strings(user);
        int result = lookupUser0(buffer);
        if (result == 0) {
            ids[0] = buffer.getInt(0);
            ids[1] = buffer.getInt(Integer.BYTES);
        }
        return result;
    }

    /**
     * Looks a group up, by name or number; as {@link #lookupUser}.
     *
     * @param ids gets the number of the group
     * @return 0, or -errno: ENOENT when there is no such group
     */
    public static int lookupGroup(byte[] group, int[] ids) {
        ByteBuffer buffer = strings(group);
        int result = lookupGroup0(buffer);
        if (result == 0) {
            ids[0] = buffer.getInt(0);
        }
        return result;
    }

    /**
     * The members of a group, by the databases of groups and users; some perhaps twice. May ask a directory service, so it
     * may block. One thread at a time.
     *
     * @return uids; null when the database cannot be asked
     */
    public static int @Nullable [] members(int gid) {
        long room = MEMBERS;
        while (true) {
            ByteBuffer buffer = ByteBuffer.allocateDirect((int) Math.min(room, MOST_MEMBERS) * Integer.BYTES)
                    .order(ByteOrder.nativeOrder());
            long count = members0(gid, buffer);
            if (count < 0 || count > MOST_MEMBERS) {
                return null;
            }
            if (count <= room) {
                int[] members = new int[(int) count];
                buffer.asIntBuffer().get(members);
                return members;
            }
            room = count;
        }
    }

    /**
     * The overflow user of this process's user namespace, as which all users appear that it does not map, and so nobody's;
     * -1, which no user is, if it maps all.
     */
    public static native int nobody();

    /** The same of groups. */
    public static native int nogroup();

    /** Becomes that user and group for good, with all threads, and reads everything back. */
    public static native int become(int uid, int gid);

    /** Raises the soft limit of open files to the hard one; gives the limit that holds then. */
    public static native long raiseOpenFiles();

    /**
     * From here on SIGTERM, SIGINT, SIGHUP and SIGUSR1 are recorded instead of ending the process; gives a descriptor to
     * wait on.
     */
    public static native int openSignals();

    /**
     * Blocks until a signal was recorded, at most {@code timeoutMs} (-1: no limit); gives its number, or 0 when none
     * came, which it may give early.
     */
    public static native int awaitSignal(int fd, int timeoutMs);

    /** Whether what {@link #awaitSignal} gave is a signal to end: not 0, and none that asks for something else. */
    public static boolean ends(int signal) {
        return signal > 0 && signal != SIGHUP && signal != SIGUSR1;
    }

    /** Ends a wait, or the next one, as SIGINT would. Any thread, before {@link #closeSignals}. */
    public static native void wakeSignals(int fd);

    /** Takes the descriptor, and gives the signals back what they did before. */
    public static native void closeSignals(int fd);

    /** Whether a descriptor can take a report: 0, or a negated errno. */
    public static native int checkReport(int fd);

    /** Writes one native int, 0 or a positive errno, and closes the descriptor. */
    public static native int report(int fd, int value);

    /**
     * Runs this program again in a session of its own and waits for its report: 0 when it is ready, a positive errno
     * when it failed, a negated one when it could not be run, or ended without a report.
     */
    public static native int detach();

    /**
     * In the detached child, once ready: redirects standard error to {@code logFd}, which it takes (-1: to /dev/null), and
     * changes the working directory to "/".
     */
    public static native int finishDetach(int logFd);

    /** From here on what standard output and error have no room for is lost, and nobody waits for room there. */
    public static native void unblockOutput();

    /**
     * Gives a descriptor the mode 0600. A socket's is that of the name which bind(2) makes afterwards, less the umask: so
     * nobody else can connect at any moment.
     */
    public static native int closeToOthers(int fd);

    /**
     * Opens a file for messages, to append to: a descriptor, or -errno when it is no regular file of this user's.
     *
     * @param mode of one that is made, less the umask
     */
    public static int openLog(byte[] path, int mode) {
        return openLog0(strings(path), mode);
    }

    /** The pid of the running instance of that name in that directory; 0 when there is none. */
    public static int instanceHolder(byte[] directory, byte[] name) {
        return instanceHolder0(strings(directory, name));
    }

    private static native int lookupUser0(ByteBuffer buffer);

    private static native int lookupGroup0(ByteBuffer buffer);

    private static native long members0(int gid, ByteBuffer buffer);

    private static native int openLog0(ByteBuffer buffer, int mode);

    private static native int instanceHolder0(ByteBuffer buffer);

    /** Each string and a NUL, and room for two ints. */
    private static ByteBuffer strings(byte[]... strings) {
        int size = 2 * Integer.BYTES;
        for (byte[] string : strings) {
            size += string.length + 1;
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
        for (byte[] string : strings) {
            buffer.put(string).put((byte) 0);
        }
        return buffer.clear();
    }
}
