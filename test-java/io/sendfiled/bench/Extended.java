package io.sendfiled.bench;

import java.io.IOException;

/** Whether a daemon understands extended requests: an older one refuses them. */
final class Extended {
    private Extended() {}

    /** Asks for a file in extended words; if that is refused, the report says that the scenario was left out. Blocks. */
    static boolean understoodBy(Server daemon, Scenario.Setting setting, String scenario)
            throws IOException, InterruptedException {
        TestFiles.file(setting.files(), "small-4k", 4096);
        try {
            setting.load().run(daemon, "--path", "small-4k", "--technique", "auto", "--count", 1, "--timeout", 5);
            return true;
        } catch (LoadClient.FailedRequestsException e) {
            String why = "the daemon takes no extended requests: " + e.getMessage();
            setting.report().skip(scenario, why);
            setting.screen().warn(scenario, "left out: " + why);
            return false;
        }
    }
}
