package io.sendfiled.daemon;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.engine.AccessList;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What can be said about settings without starting with them: {@code --check-config}. Makes nothing. Main thread; may ask
 * a directory service about users.
 */
final class ConfigCheck {
    private ConfigCheck() {}

    /**
     * The engine's settings, with the socket directory that was given, or any other: who starts decides about the default.
     *
     * @throws UsageException if they do not fit together
     */
    static SendfiledConfig build(ProgramConfig program) throws StartException, UsageException {
        SendfiledConfig.Builder engine = program.engine();
        if (!engine.isSet(Setting.SOCKET_DIRECTORY)) {
            engine.socketDirectory(Path.of("/run"));
        }
        return program.build();
    }

    /** @throws UsageException with every problem */
    static void demand(ProgramConfig program) throws StartException, UsageException {
        List<String> problems = new ArrayList<>();
        Identity.demandKnown(program, problems);
        SendfiledConfig engine = build(program);
        try {
            AccessList.resolve(engine.allowUsers(), engine.allowGroups());
        } catch (InvalidSettingException e) {
            problems.add(program.label(e.setting()) + ": " + e.problem());
        }
        Path root = engine.root();
        try {
            if (!Files.isDirectory(root.toRealPath())) {
                problems.add(label(program, root) + ": " + Errno.describe(Errno.ENOTDIR));
            } else if (engine.followRoot() && program.sandbox() != SandboxMode.OFF) {
                FollowedRoot.demandConfinable(root);
            }
        } catch (StartException e) {
            problems.add(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            int errno = Errno.of(e);
            problems.add(label(program, root) + ": " + (errno == 0 ? e.getMessage() : Errno.describe(errno)));
        }
        if (!problems.isEmpty()) {
            throw new UsageException(problems);
        }
    }

    private static String label(ProgramConfig program, Path root) {
        return program.label(Setting.ROOT) + ": " + Names.printable(root);
    }
}
