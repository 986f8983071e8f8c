package io.sendfiled.engine;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.Setting;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Whose processes may ask beside those of the superuser and of the engine's own user: {@code allow-users} and {@code
 * allow-groups}, as numbers.
 *
 * <p>A group stands for its members as the databases of groups and users have them when the list is made, and for each
 * process that runs with it. The kernel attests user and group of each request, but not the other groups of a process.
 *
 * <p>Immutable, any thread.
 */
public final class AccessList {
    /** Nobody else. */
    public static final AccessList NONE = new AccessList(new int[0], new int[0], false);

    private static final int SUPERUSER = 0;

    /** No user has this id. */
    private static final int NO_UID = -1;

    private static final int OWN_MODE = 0600;
    private static final int GROUP_MODE = 0660;
    private static final int ALL_MODE = 0666;

    private final int[] uids; // sorted
    private final int[] gids; // sorted
    private final boolean oneGroup; // and no user

    private AccessList(int[] uids, int[] gids, boolean oneGroup) {
        this.uids = uids;
        this.gids = gids;
        this.oneGroup = oneGroup;
    }

    /**
     * Looks names up; by name first, as chown(1) does, where a name is a number. Asks the databases of users and groups,
     * which may be a directory service, so it may block, and needs what they need: to be called before rights are given up.
     * One thread at a time.
     *
     * @throws InvalidSettingException naming a user or group that does not exist, or is nobody's
     */
    public static AccessList resolve(List<String> users, List<String> groups) {
        if (users.isEmpty() && groups.isEmpty()) {
            return NONE;
        }
        int nobody = ProcessNative.nobody();
        int[] listed = users.stream()
                .mapToInt(user -> idOf(Setting.ALLOW_USERS, "user", user, nobody))
                .toArray();
        int nogroup = ProcessNative.nogroup();
        int[] gids = groups.stream()
                .mapToInt(group -> idOf(Setting.ALLOW_GROUPS, "group", group, nogroup))
                .toArray();
        IntStream members = IntStream.empty();
        for (int i = 0; i < gids.length; i++) {
            int[] some = ProcessNative.members(gids[i]);
            if (some == null) {
                throw new InvalidSettingException(
                        Setting.ALLOW_GROUPS,
                        "'" + Names.printable(groups.get(i)) + "': the database of groups does not tell its members");
            }
            members = IntStream.concat(members, Arrays.stream(some));
        }
        int[] uids = IntStream.concat(Arrays.stream(listed), members)
                .filter(uid -> uid != nobody)
                .distinct()
                .sorted()
                .toArray();
        gids = Arrays.stream(gids).distinct().sorted().toArray();
        return new AccessList(uids, gids, users.isEmpty() && gids.length == 1);
    }

    private static int idOf(Setting setting, String kind, String name, int nobody) {
        int[] ids = new int[2];
        byte[] bytes = Names.bytes(name);
        int result = setting == Setting.ALLOW_USERS
                ? ProcessNative.lookupUser(bytes, ids)
                : ProcessNative.lookupGroup(bytes, ids);
        String quoted = "'" + Names.printable(name) + "': ";
        if (result < 0) {
            throw new InvalidSettingException(
                    setting, quoted + (result == -Errno.ENOENT ? "no such " + kind : Errno.describe(-result)));
        }
        if (ids[0] == nobody) {
            throw new InvalidSettingException(
                    setting,
                    quoted + "in this user namespace each " + kind + " that it does not map looks like this one ("
                            + Integer.toUnsignedString(nobody) + ")");
        }
        return ids[0];
    }

    /** Whether a process of that user, with that group, is on it. Allocates nothing. */
    boolean allows(int uid, int gid) {
        return Arrays.binarySearch(uids, uid) >= 0 || Arrays.binarySearch(gids, gid) >= 0;
    }

    /** Whether it lets nobody in. */
    public boolean isEmpty() {
        return uids.length == 0 && gids.length == 0;
    }

    /** Who gets a request socket of their own, so that nobody else's flood delays them: none where nobody else is let in. */
    int[] laneUsers(int ownUid) {
        if (isEmpty()) {
            return new int[0];
        }
        return IntStream.concat(IntStream.of(SUPERUSER, ownUid), Arrays.stream(uids))
                .filter(uid -> uid != NO_UID)
                .distinct()
                .toArray();
    }

    /** The mode that the request socket needs so that these, and no more than necessary, can connect. */
    int socketMode() {
        if (isEmpty()) {
            return OWN_MODE;
        }
        return oneGroup ? GROUP_MODE : ALL_MODE;
    }

    /** The group of a request socket with mode 0660; -1: as it is. */
    int socketGroup() {
        return oneGroup ? gids[0] : -1;
    }
}
