package io.sendfiled.engine;

import io.sendfiled.sys.Errno;

/**
 * Decides who is served, by the credentials that the kernel attaches to each request; one for all loops of an engine.
 *
 * <p>Served are the superuser, the engine's own user, and who is on the access list, which can be replaced at any time: a
 * request is judged by the old one or by the new one. Any thread; never waits, allocates nothing.
 */
final class Authorizer {
    private static final int SUPERUSER = 0;

    private final int uid;
    private final int nobody;
    private final int refusedPid;
    private final RefusalLog refusals;
    private volatile AccessList list;

    /**
     * @param uid the engine's own user; -1: it has none
     * @param nobody the user as which all appear that are unknown here, and who therefore is refused; -1: there is none
     * @param refusedPid a process that is no client, the daemon's own; -1: none
     */
    Authorizer(int uid, int nobody, int refusedPid, AccessList list, RefusalLog refusals) {
        this.uid = uid;
        this.nobody = nobody;
        this.refusedPid = refusedPid;
        this.list = list;
        this.refusals = refusals;
    }

    /** From here on these may ask. */
    void allow(AccessList list) {
        this.list = list;
    }

    /** Who may ask now. */
    AccessList list() {
        return list;
    }

    /** 0, or the errno to refuse the request with, which has been noted for the log. */
    int check(int senderUid, int senderGid, int senderPid) {
        if (senderPid == refusedPid) {
            return refuse(senderUid, senderPid, RefusalLog.Reason.OWN_PROCESS);
        }
        if (senderUid == SUPERUSER || senderUid == uid) {
            return 0;
        }
        if (senderUid == nobody) {
            return refuse(senderUid, senderPid, RefusalLog.Reason.UNKNOWN_USER);
        }
        return list.allows(senderUid, senderGid) ? 0 : refuse(senderUid, senderPid, RefusalLog.Reason.NOT_ALLOWED);
    }

    private int refuse(int senderUid, int senderPid, RefusalLog.Reason reason) {
        refusals.add(senderUid, senderPid, reason);
        return Errno.EACCES;
    }
}
