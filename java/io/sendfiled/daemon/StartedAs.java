package io.sendfiled.daemon;

import io.sendfiled.control.ControlCall;
import io.sendfiled.control.ControlCommand;
import io.sendfiled.names.Names;
import java.io.IOException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How this process was started: the command {@code invocation} of the control socket, by which {@code sfd upgrade} starts
 * the next one alike. Lines of a word and bytes in hexadecimal: {@code directory}, {@code argument} in their order, and
 * {@code environment} of what this program reads there. Any thread; immutable.
 */
final class StartedAs implements ControlCommand {
    private static final List<String> VARIABLES = List.of("TMPDIR", "JAVA_HOME");
    private static final String PREFIX = "SENDFILED_";

    private final List<String> arguments;
    private final Map<String, String> environment;
    private final @Nullable String obstacle;

    /**
     * @param obstacle why no other process can be started in the place of this one by an administrator; null: it can
     */
    StartedAs(List<String> arguments, Map<String, String> environment, @Nullable String obstacle) {
        this.arguments = List.copyOf(arguments);
        this.environment = Map.copyOf(environment);
        this.obstacle = obstacle;
    }

    @Override
    public String run(ControlCall call) throws IOException {
        if (obstacle != null) {
            call.line("obstacle " + obstacle);
        }
        call.line("directory " + hex(System.getProperty("user.dir", "/")));
        for (String argument : arguments) {
            call.line("argument " + hex(argument));
        }
        for (Map.Entry<String, String> variable : environment.entrySet()) {
            if (variable.getKey().startsWith(PREFIX) || VARIABLES.contains(variable.getKey())) {
                call.line("environment " + hex(variable.getKey() + "=" + variable.getValue()));
            }
        }
        return "pid " + ProcessHandle.current().pid();
    }

    private static String hex(String text) {
        return HexFormat.of().formatHex(Names.bytes(text));
    }
}
