package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.support.Lengthy;
import io.sendfiled.support.Scale;
import io.sendfiled.support.SystemProgram;
import io.sendfiled.system.Installed;
import io.sendfiled.system.Program;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The packages from their installation to their removal, by a script: {@code packaging/test/packages.sh}. For every change
 * Debian's, over the running system; by {@code --all} both kinds in a system that was made for it.
 */
@Timeout(1200)
final class PackagesIT {
    private static final int CANNOT = 77;
    private static final Path CLEAN_ROOT = Installed.source("target/clean-root");

    /** Runs a script of the packages' tests, which says itself what went wrong, or why it is not tried. */
    private static void run(String script, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(
                List.of(Installed.source("packaging/test/" + script).toString()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        assumeFalse(status == CANNOT, output);
        assertEquals(0, status, output);
    }

    @Lengthy
    @Test
    void shouldServeAfterTheInstallationAndLeaveNothingBehind() throws Exception {
        run("packages.sh", "deb");
    }

    @Test
    void shouldDoSoInACleanSystemAndForRpm() throws Exception {
        assumeTrue(Scale.all(), "a clean system takes minutes to make");
        assumeTrue(Program.ROOT, "only root can make a system");
        SystemProgram.require("debootstrap");
        run("clean-root.sh", CLEAN_ROOT.toString());
        run("packages.sh", "deb", CLEAN_ROOT.toString());
        run("packages.sh", "rpm", CLEAN_ROOT.toString());
    }
}
