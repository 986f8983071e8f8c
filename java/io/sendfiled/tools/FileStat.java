package io.sendfiled.tools;

import io.sendfiled.client.FileDetails;
import io.sendfiled.client.FileInfo;
import io.sendfiled.jni.DescriptorsNative;
import io.sendfiled.jni.NativeLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What stat(2) tells of a file, as far as it is needed. Immutable. */
record FileStat(long device, long inode, int mode, int owner, int group) {
    private static final int MODE = 2;

    /** Follows symbolic links. */
    static FileStat of(Path file) throws IOException {
        Map<String, Object> all = Files.readAttributes(file, "unix:dev,ino,mode,uid,gid");
        return new FileStat(
                number(all, "dev").longValue(),
                number(all, "ino").longValue(),
                number(all, "mode").intValue(),
                number(all, "uid").intValue(),
                number(all, "gid").intValue());
    }

    /** Of the file that the daemon has opened, without its owner; null if the daemon is too old to tell. */
    static @Nullable FileStat of(FileInfo info) {
        FileDetails details = info.details();
        return details == null ? null : new FileStat(details.device(), details.inode(), details.mode(), -1, -1);
    }

    private static Number number(Map<String, Object> all, String name) {
        return (Number) Objects.requireNonNull(all.get(name));
    }

    /** Of what standard input is, without its owner; null if it is closed. */
    static @Nullable FileStat ofStandardInput() {
        NativeLibrary.ensureAvailable();
        long[] found = new long[MODE + 1];
        return DescriptorsNative.identity(0, found) < 0
                ? null
                : new FileStat(found[0], found[1], (int) found[MODE], -1, -1);
    }

    /** Whether both are one file, whatever its names: hard links of it. */
    boolean isSameFile(FileStat other) {
        return device == other.device && inode == other.inode;
    }
}
