package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CommandLineTest {
    private static CommandLine parse(String... args) throws UsageException {
        return CommandLine.parse(args, Map.of());
    }

    private static SendfiledConfig config(String... args) throws UsageException {
        return parse(args).settings().build();
    }

    @Test
    void shouldTakeExactlyWhatTheOriginalsSpawnGives() throws UsageException {
        SendfiledConfig config = config("-S", "/run/x", "-s", "web", "-r", "/srv", "-n", "50", "-t", "1000", "-p");

        assertEquals(Path.of("/run/x/sendfiled.web.socket"), config.socketPath());
        assertEquals(Path.of("/srv"), config.root());
        assertEquals(50, config.maxTransfers());
        assertEquals(1000, config.openTimeoutMs());
        assertTrue(config.syncParent());
        assertFalse(config.daemonize());
    }

    @Test
    void shouldTakeLongFormsInBothNotations() throws UsageException {
        SendfiledConfig config = config(
                "--socket-dir=/run/x",
                "--name",
                "web",
                "--root=/srv",
                "--max-transfers=9",
                "--open-timeout",
                "5",
                "--user=www",
                "--group",
                "web",
                "--daemon",
                "--sync",
                "--loops=2",
                "--disk-threads=3",
                "--quantum=64k",
                "--buffer=1M",
                "--allow-root");

        assertEquals("web", config.name());
        assertEquals("www", config.user());
        assertEquals("web", config.group());
        assertEquals(64 << 10, config.quantumBytes());
        assertEquals(1 << 20, config.bufferBytes());
        assertTrue(config.daemonize() && config.syncParent() && config.allowRoot());
    }

    @Test
    void shouldTakeClusteredAndGluedShortOptionsAsGetoptDoes() throws UsageException {
        SendfiledConfig config = config("-dp", "-S/run/x", "-n7");

        assertTrue(config.daemonize() && config.syncParent());
        assertEquals(7, config.maxTransfers());
    }

    @Test
    void shouldCountAnOptionAsItWasGivenLast() throws UsageException {
        assertEquals("b", config("-S", "/run/x", "-s", "a", "--name=b").name());
    }

    @Test
    void shouldKeepQuotesThatBelongToAName() throws UsageException {
        assertEquals("\"a\"", config("-S", "/run/x", "-s", "\"a\"").name());
    }

    @Test
    void shouldSetNothingThatWasNotGiven() throws UsageException {
        SendfiledConfig.Builder settings = parse().settings();
        for (Setting setting : Setting.values()) {
            assertFalse(settings.isSet(setting), setting.key());
        }
    }

    @Test
    void shouldAllowRootByTheEnvironmentToo() throws UsageException {
        assertTrue(CommandLine.parse(new String[0], Map.of("SENDFILED_ALLOW_ROOT", "1"))
                .settings()
                .flag(Setting.ALLOW_ROOT));
        assertFalse(CommandLine.parse(new String[0], Map.of("SENDFILED_ALLOW_ROOT", "0"))
                .settings()
                .flag(Setting.ALLOW_ROOT));
    }

    @Test
    void shouldKnowHelpAndVersion() throws UsageException {
        assertEquals(CommandLine.Action.HELP, parse("--help").action());
        assertEquals(CommandLine.Action.HELP, parse("-h").action());
        assertEquals(CommandLine.Action.HELP, parse("--help", "--version").action());
        assertEquals(CommandLine.Action.VERSION, parse("--version").action());
        assertEquals(CommandLine.Action.VERSION, parse("-V").action());
        assertEquals(CommandLine.Action.RUN, parse().action());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--loops=99 | --loops: 99 is out of range (1..8)",
                "-nx | --max-transfers: 'x' is not a number (1..1000000)",
                "-n-5 | --max-transfers: -5 is out of range (1..1000000)",
                "-s | --name: needs a value",
                "--frob | --frob: unknown option (see sendfiled --help)",
                "--loop=2 | --loop=2: unknown option (see sendfiled --help)",
                "-z | -z: unknown option (see sendfiled --help)",
                "--daemon=yes | --daemon=yes: unknown option (see sendfiled --help)",
                "web | 'web': unexpected argument (see sendfiled --help)",
            })
    void shouldSayWhichWordIsWrongAndWhy(String argument, String message) {
        UsageException e = assertThrows(UsageException.class, () -> parse(argument));
        assertEquals(message, e.getMessage());
    }
}
