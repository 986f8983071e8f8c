package io.sendfiled.daemon;

import io.sendfiled.config.Setting;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.util.List;

/**
 * The user and group that the daemon runs as: decided first, so that a refusal comes before anything is changed, and
 * assumed before anything is opened. Main thread; a look-up may ask a directory service.
 */
final class Identity {
    private static final int ROOT = 0;

    /** A user and its group, by number. */
    private record UserIds(int uid, int gid) {}

    private final boolean wasRoot;
    private final boolean changes;
    private final int uid;
    private final int gid;

    private Identity(boolean wasRoot, boolean changes, int uid, int gid) {
        this.wasRoot = wasRoot;
        this.changes = changes;
        this.uid = uid;
        this.gid = gid;
    }

    static Identity decide(ProgramConfig settings) throws StartException {
        String user = settings.user();
        String group = settings.group();
        int current = ProcessNative.effectiveUid();
        UserIds target = user == null ? null : lookUpUser(settings.label(Setting.USER), user);
        int uid = target == null ? current : target.uid();
        if (uid == ROOT && !settings.allowRoot()) {
            throw new StartException(
                    Errno.EPERM,
                    "refusing to run as root: give the user to become with --user, or --allow-root where root is"
                            + " meant, as in a container (" + Origin.variable(Setting.ALLOW_ROOT.key())
                            + "=1 does the same)");
        }
        if (user != null && current != ROOT && uid != current) {
            throw new StartException(
                    Errno.EPERM,
                    settings.label(Setting.USER) + ": " + Names.printable(String.valueOf(user))
                            + ": only root can become another user");
        }
        if (group != null) {
            return new Identity(current == ROOT, true, uid, lookUpGroup(settings.label(Setting.GROUP), group));
        }
        if (target == null || current != ROOT) {
            return new Identity(current == ROOT, false, uid, 0);
        }
        return new Identity(true, true, uid, target.gid());
    }

    /** Adds to the problems if the user or the group that is given does not exist. */
    static void demandKnown(ProgramConfig settings, List<String> problems) {
        String user = settings.user();
        String group = settings.group();
        try {
            if (user != null) {
                lookUpUser(settings.label(Setting.USER), user);
            }
        } catch (StartException e) {
            problems.add(String.valueOf(e.getMessage()));
        }
        try {
            if (group != null) {
                lookUpGroup(settings.label(Setting.GROUP), group);
            }
        } catch (StartException e) {
            problems.add(String.valueOf(e.getMessage()));
        }
    }

    /** Whether root has started the program, which may become another user. */
    boolean wasRoot() {
        return wasRoot;
    }

    /** Whether the program becomes another user or group, {@link #uid} and {@link #gid}. */
    boolean changes() {
        return changes;
    }

    int uid() {
        return uid;
    }

    int gid() {
        return gid;
    }

    /**
     * Becomes the user and group for good: the group of {@code -g} or the user's own, and only the user's supplementary
     * groups.
     */
    void assume() throws StartException {
        if (!changes) {
            return;
        }
        int result = ProcessNative.become(uid, gid);
        if (result < 0) {
            throw new StartException(
                    -result,
                    "cannot become uid " + Integer.toUnsignedString(uid) + ", gid " + Integer.toUnsignedString(gid)
                            + ": " + Errno.describe(-result));
        }
    }

    private static UserIds lookUpUser(String label, String user) throws StartException {
        int[] ids = new int[2];
        int result = ProcessNative.lookupUser(Names.bytes(user), ids);
        if (result < 0) {
            throw notFound(label + ": " + Names.printable(user), "user", -result);
        }
        return new UserIds(ids[0], ids[1]);
    }

    private static int lookUpGroup(String label, String group) throws StartException {
        int[] ids = new int[1];
        int result = ProcessNative.lookupGroup(Names.bytes(group), ids);
        if (result < 0) {
            throw notFound(label + ": " + Names.printable(group), "group", -result);
        }
        return ids[0];
    }

    private static StartException notFound(String what, String kind, int errno) {
        String reason = errno == Errno.ENOENT ? "no such " + kind : Errno.message(errno);
        return new StartException(errno, what + ": " + reason);
    }
}
