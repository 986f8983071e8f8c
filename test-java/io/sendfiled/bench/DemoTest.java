package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.HelperProgram;
import io.sendfiled.support.JavaProgram;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the demo needs of its surroundings. */
final class DemoTest {
    /** All that is in the root, in a directory that is no mount point. */
    private static final String CHROOT = "set -e; cd \"$1\"; shift; for each in /*; do"
            + " if [ -L \"$each\" ]; then cp -P \"$each\" .;"
            + " elif [ -d \"$each\" ]; then mkdir \".$each\"; mount --rbind \"$each\" \".$each\"; fi; done;"
            + " mkdir made; exec chroot . \"$@\"";

    @TempDir
    private Path directory;

    /** Prints whether it knows how big a file can be. */
    static final class Size {
        public static void main(String[] args) throws IOException {
            System.out.print(Demo.biggestSize(Path.of(args[0])) > 0);
        }
    }

    @Test
    void shouldFindRoomInAChrootThatIsNoMountPoint() throws Exception {
        assumeTrue(
                new ProcessBuilder("unshare", "--mount", "--map-root-user", "true")
                                .start()
                                .waitFor()
                        == 0,
                "no user namespaces here, to mount in");
        List<String> command = new ArrayList<>(List.of("unshare", "--mount", "--map-root-user"));
        command.addAll(List.of("sh", "-c", CHROOT, "sh", directory.toString()));
        command.addAll(JavaProgram.command(Size.class));
        command.add("/made");

        assertEquals("true", HelperProgram.output(command.toArray(new String[0])));
    }
}
