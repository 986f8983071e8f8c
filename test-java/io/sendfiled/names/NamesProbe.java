package io.sendfiled.names;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.stream.Stream;

/**
 * Makes an empty file of each name that it is given, by its arguments and by the variable NAME, and then prints the bytes
 * of all names that it finds in the working directory, in hex, one a line.
 */
final class NamesProbe {
    private NamesProbe() {}

    public static void main(String[] args) throws IOException {
        for (String name : Invocation.arguments(args)) {
            Files.createFile(Names.path(name));
        }
        Files.createFile(Names.path(String.valueOf(Invocation.environment("NAME"))));
        try (Stream<Path> all = Files.list(Names.path("."))) {
            all.forEach(path -> System.out.println(HexFormat.of().formatHex(Names.bytes(path.getFileName()))));
        }
        System.out.println(HexFormat.of().formatHex(Names.bytes(Names.absolute(Path.of("")))));
    }
}
