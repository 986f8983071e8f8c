package io.sendfiled.support;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** The programs of the machine that tests run. */
public final class SystemProgram {
    private SystemProgram() {}

    /**
     * Demands a program that {@code ./dev} installs. Where the distribution is known to have it, the test fails without it;
     * elsewhere it is skipped.
     */
    public static void require(String name) {
        boolean there = Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, name)));
        if (!there && Files.exists(Path.of("/etc/debian_version"))) {
            fail(name + " is not installed: apt-get install " + name);
        }
        assumeTrue(there, name + " is not installed");
    }
}
