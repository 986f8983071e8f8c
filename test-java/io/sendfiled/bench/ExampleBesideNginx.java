package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Warm 4 KiB files from an example of an HTTP server, with the daemon beside it, and from nginx, in alternating rounds. */
final class ExampleBesideNginx {
    static final String NGINX = Peer.NGINX.title;
    static final String CASE = "4 KiB over HTTP";
    private static final int SMALL = 4096;
    private static final String FILE = "small-4k";
    private static final int PATIENCE_SECONDS = 30;

    private ExampleBesideNginx() {}

    /**
     * Measures both as samples of a scenario; false if something is missing, which is said. Blocks.
     *
     * @param example the name of its program
     * @param root what else it is told, to serve by itself what is in memory
     */
    static boolean measure(Scenario.Setting setting, String scenario, String example, List<Path> root)
            throws IOException, InterruptedException {
        String missing = Nginx.missing();
        if (!missing.isEmpty()) {
            setting.leaveOut(scenario, CASE, missing);
            return false;
        }
        if (!WebSide.available(setting, scenario, CASE)) {
            return false;
        }
        Path file = TestFiles.file(setting.files(), FILE, SMALL);
        TestFiles.warm(file);
        try (Stage stage = Stage.create(setting.programs());
                Server daemon = Server.startDaemon(setting.programs(), example, setting.files(), setting.sockets());
                WebSide ours =
                        WebSide.start(example, user -> startExample(setting, stage, daemon, example, root, user));
                WebSide nginx = WebSide.start(NGINX, user -> startNginx(setting, stage, user))) {
            List<WebSide> sides = List.of(ours, nginx);
            for (WebSide side : sides) {
                side.prepare(FILE, file, setting.quick() ? 0 : 1);
            }
            int rounds = WebSide.rounds(setting);
            Rounds.alternate(rounds, sides, (side, round) -> {
                setting.screen().working(side.title() + ", round " + (round + 1) + " of " + rounds);
                side.measure(setting, scenario, CASE, FILE, SMALL, Wrk.CONNECTIONS, 1, round);
            });
        }
        return true;
    }

    /** The daemon's part in a request is a part of its cost. */
    private static WebServer startExample(
            Scenario.Setting setting, Stage stage, Server daemon, String example, List<Path> root, int user)
            throws IOException {
        List<String> command = Programs.command(stage.helper(example), setting.sockets(), example, 0, PATIENCE_SECONDS);
        root.forEach(path -> command.add(path.toString()));
        WebServer server = WebServer.start(example, user == 0 ? command : stage.byOtherUser(command));
        server.add(daemon.pid());
        return server;
    }

    private static WebServer startNginx(Scenario.Setting setting, Stage stage, int user)
            throws IOException, InterruptedException {
        return WebServer.startNginx(
                Nginx.SENDFILE,
                stage.directory("nginx", user),
                setting.files(),
                user == 0 ? List.of() : stage.byOtherUser(List.of()));
    }
}
