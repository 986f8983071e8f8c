package io.sendfiled.tools;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The bytes of the program's arguments. A path is bytes, and in the locale "C" the JVM turns what is not ASCII into
 * something else; {@code /proc/self/cmdline} has them as they were typed.
 */
final class RawArguments {
    private RawArguments() {}

    /** The bytes of {@code word}, which is one of {@code args}; its UTF-8 form when the kernel does not show them. */
    static byte[] bytesOf(String[] args, String word) {
        byte[] text = word.getBytes(StandardCharsets.UTF_8);
        if (isAscii(word)) {
            return text;
        }
        int index = Arrays.asList(args).indexOf(word);
        List<byte[]> raw = commandLine();
        int first = raw.size() - args.length;
        if (index < 0 || first < 0) {
            return text;
        }
        for (int i = 0; i < args.length; i++) { // only if all other arguments are as the JVM gives them
            if (isAscii(args[i]) && !Arrays.equals(raw.get(first + i), args[i].getBytes(StandardCharsets.US_ASCII))) {
                return text;
            }
        }
        return raw.get(first + index);
    }

    private static boolean isAscii(String word) {
        for (int i = 0; i < word.length(); i++) {
            if (word.charAt(i) >= 0x80) {
                return false;
            }
        }
        return true;
    }

    private static List<byte[]> commandLine() {
        List<byte[]> found = new ArrayList<>();
        byte[] all;
        try {
            all = Files.readAllBytes(Path.of("/proc/self/cmdline"));
        } catch (IOException e) {
            return found; // no /proc: uses the JVM's text
        }
        int from = 0;
        for (int i = 0; i < all.length; i++) {
            if (all[i] == 0) {
                found.add(Arrays.copyOfRange(all, from, i));
                from = i + 1;
            }
        }
        return found;
    }
}
