package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CommandLineTest {
    private static CommandLine parse(String... args) throws UsageException {
        return CommandLine.parse(args);
    }

    private static ProgramConfig program(String... args) throws UsageException {
        return new ConfigSources(parse(args), Map.of(), false, Path.of("/nowhere")).load();
    }

    private static SendfiledConfig config(String... args) throws UsageException {
        return program(args).engine().build();
    }

    @Test
    void shouldTakeExactlyWhatTheOriginalsSpawnGives() throws UsageException {
        ProgramConfig program = program("-S", "/run/x", "-s", "web", "-r", "/srv", "-n", "50", "-t", "1000", "-p");
        SendfiledConfig config = program.engine().build();

        assertEquals(Path.of("/run/x/sendfiled.web.socket"), config.socketPath());
        assertEquals(Path.of("/srv"), config.root());
        assertEquals(50, config.maxTransfers());
        assertEquals(1000, config.openTimeoutMs());
        assertTrue(program.syncParent());
        assertFalse(program.daemonize());
    }

    @Test
    void shouldTakeLongFormsInBothNotations() throws UsageException {
        ProgramConfig program = program(
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
        SendfiledConfig config = program.engine().build();

        assertEquals("web", config.name());
        assertEquals("www", program.user());
        assertEquals("web", program.group());
        assertEquals(64 << 10, config.quantumBytes());
        assertEquals(1 << 20, config.bufferBytes());
        assertTrue(program.daemonize() && program.syncParent() && program.allowRoot());
    }

    @Test
    void shouldTakeTimesAsSfdDoes() throws UsageException {
        assertEquals(1000, config("-t", "1000").openTimeoutMs());
        assertEquals(1500, config("-t", "1.5s").openTimeoutMs());
        assertEquals(120_000, config("--idle-timeout=2m").idleTimeoutMs());
        assertEquals(1, config("-t", "0.5ms").openTimeoutMs(), "what is not nothing does not become nothing");
    }

    @Test
    void shouldTakeClusteredAndGluedShortOptionsAsGetoptDoes() throws UsageException {
        ProgramConfig program = program("-dp", "-S/run/x", "-n7");

        assertTrue(program.daemonize() && program.syncParent());
        assertEquals(7, program.engine().build().maxTransfers());
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
        ProgramConfig program = program();
        for (Setting setting : Setting.values()) {
            assertFalse(program.isSet(setting), setting.key());
        }
        assertNull(program.user());
        assertNull(program.group());
        assertFalse(program.daemonize() || program.syncParent() || program.allowRoot());
        assertEquals(SandboxMode.AUTO, program.sandbox());
    }

    @Test
    void shouldPrintWhatWasGiven() throws UsageException {
        assertEquals(
                "ProgramConfig[user=www, daemon=on] SendfiledConfig.Builder[name=web, open-timeout=5ms, quantum=64KiB]",
                program("-d", "--quantum=64k", "-u", "www", "-s", "web", "-t5").toString());
    }

    @Test
    void shouldRefuseAFlagThatIsNeitherOnNorOff() {
        InvalidSettingException e = assertThrows(InvalidSettingException.class, () -> Setting.DAEMONIZE.parse("maybe"));
        assertEquals("daemon: 'maybe' is neither on nor off", e.getMessage());
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
                "-tsoon | --open-timeout: 'soon' is not a time, such as 500ms, 30s or 5m (1ms..1h)",
                "--idle-timeout=2d | --idle-timeout: 2d is out of range (0..1d)",
                "--idle-timeout=-5 | --idle-timeout: -5ms is out of range (0..1d)",
                "--memory=99T | --memory: 99TiB is out of range (0..16TiB)",
                "-s | --name: needs a value",
                "--frob | --frob: unknown option (see sendfiled --help)",
                "--loop=2 | --loop=2: unknown option (see sendfiled --help)",
                "-z | -z: unknown option (see sendfiled --help)",
                "--daemon=yes | --daemon=yes: unknown option (see sendfiled --help)",
                "web | 'web': unexpected argument (see sendfiled --help)",
            })
    void shouldSayWhichWordIsWrongAndWhy(String argument, String message) {
        UsageException e = assertThrows(UsageException.class, () -> program(argument));
        assertEquals(message, e.getMessage());
    }
}
