package io.sendfiled.engine;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.Setting;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

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
    private static final int SUPERUSER = 0;

    /** No user has this id. */
    private static final int NO_UID = -1;

    private static final int OWN_MODE = 0600;
    private static final int GROUP_MODE = 0660;
    private static final int ALL_MODE = 0666;
    private static final int NO_GROUP = -1;

    /** Nobody else. */
    public static final AccessList NONE = new AccessList(List.of(), new int[0], new int[0], OWN_MODE, NO_GROUP);

    /** One of the names, and for whom it stands. */
    private static final class Entry {
        final Setting setting;
        final String name;
        final int id; // of the user, or the group
        final int[] members; // of a group

        Entry(Setting setting, String name, int id, int[] members) {
            this.setting = setting;
            this.name = name;
            this.id = id;
            this.members = members;
        }

        boolean isFor(Setting other, String otherName) {
            return setting == other && name.equals(otherName);
        }
    }

    private final List<Entry> entries;
    private final int[] uids; // sorted
    private final int[] gids; // sorted
    private final int socketMode; // as the socket was made
    private final int socketGroup;

    private AccessList(List<Entry> entries, int[] uids, int[] gids, int socketMode, int socketGroup) {
        this.entries = entries;
        this.uids = uids;
        this.gids = gids;
        this.socketMode = socketMode;
        this.socketGroup = socketGroup;
    }

    private static AccessList of(List<Entry> entries, int socketMode, int socketGroup) {
        int nobody = ProcessNative.nobody();
        int[] uids = entries.stream()
                .flatMapToInt(entry ->
                        entry.setting == Setting.ALLOW_USERS ? IntStream.of(entry.id) : Arrays.stream(entry.members))
                .filter(uid -> uid != nobody)
                .distinct()
                .sorted()
                .toArray();
        int[] gids = groups(entries).sorted().toArray();
        return new AccessList(entries, uids, gids, socketMode, socketGroup);
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
            return NONE; // most have no lists: nothing is looked up, and no class is loaded for it
        }
        List<Entry> entries = NONE.look(users, groups);
        return of(entries, modeFor(entries), groupFor(entries));
    }

    /**
     * Another list for the same request socket. What this one has is not looked up again: a group keeps its members, and in
     * the sandbox only numbers of users can be added.
     *
     * @throws InvalidSettingException as {@link #resolve}; and if the socket does not let those connect whom it names
     */
    AccessList renew(List<String> users, List<String> groups) {
        List<Entry> changed = look(users, groups);
        boolean reached = changed.isEmpty()
                || socketMode == ALL_MODE
                || (socketMode == modeFor(changed) && socketGroup == groupFor(changed));
        if (!reached) {
            throw new InvalidSettingException(
                    users.isEmpty() ? Setting.ALLOW_GROUPS : Setting.ALLOW_USERS,
                    "others can connect to the socket, which has mode " + Integer.toOctalString(socketMode)
                            + ", only after another start");
        }
        return of(changed, socketMode, socketGroup);
    }

    private List<Entry> look(List<String> users, List<String> groups) {
        return Stream.concat(
                        users.stream().map(name -> entry(Setting.ALLOW_USERS, name)),
                        groups.stream().map(name -> entry(Setting.ALLOW_GROUPS, name)))
                .toList();
    }

    private Entry entry(Setting setting, String name) {
        for (Entry known : entries) {
            if (known.isFor(setting, name)) {
                return known;
            }
        }
        return setting == Setting.ALLOW_USERS ? user(name) : group(name);
    }

    private static Entry user(String name) {
        int[] ids = new int[2];
        check(Setting.ALLOW_USERS, "user", name, ProcessNative.lookupUser(Names.bytes(name), ids));
        demandMapped(Setting.ALLOW_USERS, "user", name, ids[0], ProcessNative.nobody());
        return new Entry(Setting.ALLOW_USERS, name, ids[0], new int[0]);
    }

    private static Entry group(String name) {
        int[] ids = new int[1];
        check(Setting.ALLOW_GROUPS, "group", name, ProcessNative.lookupGroup(Names.bytes(name), ids));
        demandMapped(Setting.ALLOW_GROUPS, "group", name, ids[0], ProcessNative.nogroup());
        int[] members = ProcessNative.members(ids[0]);
        if (members == null) {
            throw new InvalidSettingException(
                    Setting.ALLOW_GROUPS, quote(name) + "the database of groups does not tell its members");
        }
        return new Entry(Setting.ALLOW_GROUPS, name, ids[0], members);
    }

    private static void check(Setting setting, String kind, String name, int result) {
        if (result < 0) {
            throw new InvalidSettingException(
                    setting,
                    quote(name)
                            + switch (-result) {
                                case Errno.ENOENT -> "no such " + kind;
                                case Errno.EACCES ->
                                    "names cannot be looked up in the sandbox: give the number of a user,"
                                            + " or start the daemon anew";
                                default -> Errno.describe(-result);
                            });
        }
    }

    private static void demandMapped(Setting setting, String kind, String name, int id, int nobody) {
        if (id == nobody) {
            throw new InvalidSettingException(
                    setting,
                    quote(name) + "in this user namespace each " + kind + " that it does not map looks like this one ("
                            + Integer.toUnsignedString(nobody) + ")");
        }
    }

    private static String quote(String name) {
        return "'" + Names.printable(name) + "': ";
    }

    private static IntStream groups(List<Entry> entries) {
        return entries.stream()
                .filter(entry -> entry.setting == Setting.ALLOW_GROUPS)
                .mapToInt(entry -> entry.id)
                .distinct();
    }

    /** The only group, if no users are named; else -1. */
    private static int groupFor(List<Entry> entries) {
        boolean onlyGroups = entries.stream().allMatch(entry -> entry.setting == Setting.ALLOW_GROUPS);
        return onlyGroups && groups(entries).count() == 1 ? entries.get(0).id : NO_GROUP;
    }

    /** The mode that the request socket needs so that these, and no more than necessary, can connect. */
    private static int modeFor(List<Entry> entries) {
        if (entries.isEmpty()) {
            return OWN_MODE;
        }
        return groupFor(entries) == NO_GROUP ? ALL_MODE : GROUP_MODE;
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

    /** The mode of the request socket. */
    int socketMode() {
        return socketMode;
    }

    /** The group of a request socket with mode 0660; -1: as it is. */
    int socketGroup() {
        return socketGroup;
    }
}
