package io.sendfiled.support;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Gives classes another package, as tools do that put a library into a program's own jar (shading). */
public final class Relocated {
    private static final int MAGIC_AND_VERSION = 8;
    private static final int UTF8 = 1;

    private Relocated() {}

    /** Copies a tree of classes and resources; {@code from} and {@code to} are packages, written with slashes. */
    public static void copy(Path classes, Path target, String from, String to) throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.walk(classes)) {
            files = all.filter(Files::isRegularFile).toList();
        }
        for (Path file : files) {
            String name = classes.relativize(file).toString();
            Path copy = target.resolve(name.startsWith(from) ? to + name.substring(from.length()) : name);
            Files.createDirectories(copy.getParent());
            byte[] content = Files.readAllBytes(file);
            Files.write(copy, name.endsWith(".class") ? rename(content, from, to) : content);
        }
    }

    /** All names of classes, and all texts that look like one, stand in the pool of constants (JVMS 4.4). */
    private static byte[] rename(byte[] type, String from, String to) throws IOException {
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(type));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.write(in.readNBytes(MAGIC_AND_VERSION));
        int count = in.readUnsignedShort();
        out.writeShort(count);
        for (int i = 1; i < count; i++) {
            int tag = in.readUnsignedByte();
            out.writeByte(tag);
            switch (tag) {
                case UTF8 ->
                    out.writeUTF(in.readUTF().replace(from, to).replace(from.replace('/', '.'), to.replace('/', '.')));
                case 7, 8, 16, 19, 20 -> out.write(in.readNBytes(2)); // classes, texts, method types, modules
                case 15 -> out.write(in.readNBytes(3)); // method handles
                case 5, 6 -> { // long and double take two places
                    out.write(in.readNBytes(8));
                    i++;
                }
                default -> out.write(in.readNBytes(4));
            }
        }
        in.transferTo(out);
        return bytes.toByteArray();
    }
}
