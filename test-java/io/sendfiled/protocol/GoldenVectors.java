package io.sendfiled.protocol;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The vectors of {@code test-native/golden}, which the C tests read as well. */
public final class GoldenVectors {
    /** One line: its name, what it is, the fields by name, the bytes. */
    public static final class Vector {
        private final String name;
        private final String kind;
        private final Map<String, String> fields;
        private final byte[] bytes;

        Vector(String name, String kind, Map<String, String> fields, byte[] bytes) {
            this.name = name;
            this.kind = kind;
            this.fields = fields;
            this.bytes = bytes;
        }

        public String name() {
            return name;
        }

        String kind() {
            return kind;
        }

        public byte[] bytes() {
            return bytes;
        }

        public boolean has(String field) {
            return fields.containsKey(field);
        }

        public String field(String field) {
            String value = fields.get(field);
            if (value == null) {
                throw new IllegalStateException(name + " has no field " + field);
            }
            return value;
        }

        public long number(String field) {
            String value = field(field);
            return value.startsWith("-") ? Long.parseLong(value) : Long.parseUnsignedLong(value);
        }

        int command() {
            return (int) number("command");
        }

        RequestOptions options() {
            return new RequestOptions(
                    number("rate"),
                    (int) number("idle"),
                    (int) number("deadline"),
                    (int) number("technique"),
                    (int) number("flags"),
                    version());
        }

        /** Of an extended request. */
        int version() {
            return has("version") ? (int) number("version") : Wire.VERSION;
        }

        /** The length in the terms of the decoder: version 1 has 0 for "to the end". */
        long meantLength() {
            return version() == Wire.VERSION && number("length") == 0 ? Wire.TO_END : number("length");
        }

        /** Each {@code OFFSET+LENGTH}, or bytes in hexadecimal. */
        List<String> segments() {
            return has("segments") ? List.of(field("segments").split(";", -1)) : List.of();
        }

        byte[] path() {
            return hex(field("path"));
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private GoldenVectors() {}

    /** All messages of one kind; at least one. */
    public static List<Vector> ofKind(String kind) {
        return ofKind("messages.txt", kind);
    }

    /** All of one kind that a file has; at least one. */
    public static List<Vector> ofKind(String file, String kind) {
        List<Vector> found =
                all(file).stream().filter(v -> v.kind().equals(kind)).toList();
        if (found.isEmpty()) {
            throw new IllegalStateException("no golden vector of kind " + kind);
        }
        return found;
    }

    private static List<Vector> all(String name) {
        Path file = Path.of(System.getProperty("sendfiled.test.source", "."), "test-native/golden", name);
        try {
            return Files.readAllLines(file).stream()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .map(GoldenVectors::parse)
                    .toList();
        } catch (IOException e) {
            throw new IllegalStateException("cannot read " + file, e);
        }
    }

    private static Vector parse(String line) {
        String[] parts = line.split("\\|", -1);
        String[] words = parts[1].trim().split("\\s+");
        Map<String, String> fields = new HashMap<>();
        for (int i = 1; i < words.length; i++) {
            int equals = words[i].indexOf('=');
            fields.put(words[i].substring(0, equals), words[i].substring(equals + 1));
        }
        return new Vector(parts[0].trim(), words[0], fields, hex(parts[2].trim()));
    }

    /** Groups of hexadecimal digits, each perhaps with {@code *COUNT}. */
    public static byte[] hex(String text) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (String group : text.split("\\s+")) {
            int star = group.indexOf('*');
            String digits = star < 0 ? group : group.substring(0, star);
            int count = star < 0 ? 1 : Integer.parseInt(group.substring(star + 1));
            for (int i = 0; i < count; i++) {
                for (int d = 0; d < digits.length(); d += 2) {
                    bytes.write(Integer.parseInt(digits.substring(d, d + 2), 16));
                }
            }
        }
        return bytes.toByteArray();
    }
}
