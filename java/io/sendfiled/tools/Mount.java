package io.sendfiled.tools;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The mounted file system that a path is on, as proc_pid_mountinfo(5) tells.
 *
 * @param type such as {@code ext4} or {@code fuse.sshfs}
 * @param options of the mount, divided by commas
 */
record Mount(String point, String type, String options) {
    /** The one of a path, which is followed; null if nothing tells. */
    static @Nullable Mount of(Path path) {
        String real;
        try {
            real = new String(
                    path.toRealPath().toString().getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return null;
        }
        Mount found = null;
        for (String line : SystemFiles.lines("/proc/self/mountinfo")) {
            Mount mount = parse(line);
            // Of two at one place the later one is on top.
            if (mount != null
                    && contains(mount.point, real)
                    && (found == null || mount.point.length() >= found.point.length())) {
                found = mount;
            }
        }
        return found;
    }

    private static boolean contains(String point, String path) {
        return point.equals("/") || path.equals(point) || path.startsWith(point + "/");
    }

    private static @Nullable Mount parse(String line) {
        String[] words = line.split(" ");
        int dash = List.of(words).indexOf("-");
        return dash < 6 || words.length < dash + 2
                ? null
                : new Mount(words[4].replace("\\040", " "), words[dash + 1], words[5]);
    }

    boolean is(String option) {
        return List.of(options.split(",")).contains(option);
    }

    boolean isNetwork() {
        return List.of("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "afs", "lustre", "virtiofs")
                .contains(type);
    }

    boolean isFuse() {
        return type.equals("fuse") || type.equals("fuseblk") || type.startsWith("fuse.");
    }
}
