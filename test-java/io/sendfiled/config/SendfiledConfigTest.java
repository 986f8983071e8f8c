package io.sendfiled.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

final class SendfiledConfigTest {
    private static SendfiledConfig.Builder builder() {
        return SendfiledConfig.builder().socketDirectory(Path.of("/run/test"));
    }

    private static String refusal(Setting setting, String value) {
        InvalidSettingException e = assertThrows(
                InvalidSettingException.class,
                () -> builder().set(setting, value).build());
        assertSame(setting, e.setting());
        return String.valueOf(e.getMessage());
    }

    @Test
    void shouldDecideEveryDefault() {
        SendfiledConfig config = builder().build();

        assertEquals("default", config.name());
        assertEquals(Path.of("").toAbsolutePath(), config.root());
        assertEquals(Path.of("/run/test/sendfiled.default.socket"), config.socketPath());
        assertEquals(1000, config.maxTransfers());
        assertEquals(1000, config.clientTransfers());
        assertEquals(3 * 1000 + 64, config.clientDescriptors());
        assertEquals(1000, config.clientDiskTasks());
        assertEquals(0, config.memoryBytes());
        assertEquals(0, config.clientMemoryBytes());
        assertEquals(30_000, config.openTimeoutMs());
        assertEquals(Math.min(4, Runtime.getRuntime().availableProcessors()), config.loops());
        assertEquals(8, config.diskThreads());
        assertEquals(256 << 10, config.quantumBytes());
        assertEquals(256 << 10, config.bufferBytes());
        assertEquals(300_000, config.idleTimeoutMs());
        assertEquals(30_000, config.drainTimeoutMs());
        assertEquals(5_000, config.stopTimeoutMs());
        assertEquals(4, config.techniques().rules().size());
    }

    @Test
    void shouldGiveBackWhatWasSet() {
        SendfiledConfig config = SendfiledConfig.builder()
                .name("web")
                .root(Path.of("/srv"))
                .socketDirectory(Path.of("/run/web"))
                .maxTransfers(7)
                .clientTransfers(4)
                .clientDescriptors(5)
                .clientDiskTasks(6)
                .memoryBytes(1L << 40)
                .clientMemoryBytes(12)
                .openTimeoutMs(8)
                .loops(2)
                .diskThreads(3)
                .quantumBytes(4096)
                .bufferBytes(8192)
                .idleTimeoutMs(9)
                .drainTimeoutMs(10)
                .stopTimeoutMs(11)
                .techniques("pipe=splice")
                .build();

        assertEquals("web", config.name());
        assertEquals(Path.of("/srv"), config.root());
        assertEquals(Path.of("/run/web"), config.socketDirectory());
        assertEquals(7, config.maxTransfers());
        assertEquals(4, config.clientTransfers());
        assertEquals(5, config.clientDescriptors());
        assertEquals(6, config.clientDiskTasks());
        assertEquals(1L << 40, config.memoryBytes());
        assertEquals(12, config.clientMemoryBytes());
        assertEquals(8, config.openTimeoutMs());
        assertEquals(2, config.loops());
        assertEquals(3, config.diskThreads());
        assertEquals(4096, config.quantumBytes());
        assertEquals(8192, config.bufferBytes());
        assertEquals(9, config.idleTimeoutMs());
        assertEquals(10, config.drainTimeoutMs());
        assertEquals(11, config.stopTimeoutMs());
        assertEquals(1, config.techniques().rules().size());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 8, 1_000_000})
    void shouldLetAClientHaveAllThatTheDaemonMayHave(int all) { // R19
        SendfiledConfig config = builder().maxTransfers(all).build();

        assertEquals(all, config.clientTransfers());
        assertEquals(3 * all + 64, config.clientDescriptors());
        assertEquals(all, config.clientDiskTasks());
    }

    @Test
    void shouldDeriveTheOtherLimitsOfAClientFromItsTransfers() {
        SendfiledConfig config = builder().clientTransfers(10).build();

        assertEquals(94, config.clientDescriptors());
        assertEquals(10, config.clientDiskTasks());
    }

    @ParameterizedTest
    @CsvSource({
        "4096, 4096",
        "4k, 4096",
        "64KiB, 65536",
        "1M, 1048576",
        "16mib, 16777216",
    })
    void shouldReadBytesWithUnits(String text, int bytes) {
        assertEquals(bytes, builder().set(Setting.QUANTUM_BYTES, text).build().quantumBytes());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "LOOPS | 99 | loops: 99 is out of range (1..8)",
                "LOOPS | 0 | loops: 0 is out of range (1..8)",
                "LOOPS | -1 | loops: -1 is out of range (1..8)",
                "LOOPS | many | loops: 'many' is not a number (1..8)",
                "LOOPS | '' | loops: '' is not a number (1..8)",
                "LOOPS | +2 | loops: '+2' is not a number (1..8)",
                "LOOPS | ٢ | loops: '٢' is not a number (1..8)",
                "LOOPS | - | loops: '-' is not a number (1..8)",
                "LOOPS | 2k | loops: '2k' is not a number (1..8)",
                "LOOPS | 99999999999999999999 | loops: 99999999999999999999 is out of range (1..8)",
                "QUANTUM_BYTES | 1k | quantum: 1KiB is out of range (4KiB..16MiB)",
                "QUANTUM_BYTES | 17M | quantum: 17MiB is out of range (4KiB..16MiB)",
                "QUANTUM_BYTES | 9223372036854775807G | quantum: 9223372036854775807G is out of range (4KiB..16MiB)",
                "QUANTUM_BYTES | 4096iB | quantum: '4096iB' is not a number of bytes (4KiB..16MiB)",
                "QUANTUM_BYTES | k | quantum: 'k' is not a number of bytes (4KiB..16MiB)",
                "NAME | '' | name: must not be empty",
                "NAME | ../a | name: '../a' has a character that is not allowed (control characters and '/')",
                "ROOT | '' | root: must not be empty",
                "OPEN_TIMEOUT_MS | 3600001 | open-timeout: 3600001ms is out of range (1ms..1h)",
            })
    void shouldRefuseWithKeyValueAndWhatIsAllowed(Setting setting, String value, String message) {
        assertEquals(message, refusal(setting, value));
    }

    @Test
    void shouldRefuseASocketPathThatNoAddressHolds() {
        InvalidSettingException e = assertThrows(InvalidSettingException.class, () -> SendfiledConfig.builder()
                .socketDirectory(Path.of("/" + "d".repeat(99)))
                .build());

        assertTrue(String.valueOf(e.getMessage()).contains("(at most 107)"), e.getMessage());
    }

    @ParameterizedTest
    @EnumSource(
            value = Setting.class,
            names = {
                "USER",
                "GROUP",
                "DAEMONIZE",
                "SYNC_PARENT",
                "ACCESS_LOG",
                "LOG_FORMAT",
                "METRICS",
                "SANDBOX",
                "ALLOW_ROOT"
            })
    void shouldRefuseWhatOnlyTheProgramObeys(Setting setting) {
        String message =
                setting.key() + ": is for the program sendfiled; an engine inside another program does not obey it";
        assertEquals(message, refusal(setting, "on"));
        SendfiledConfig config = builder().build();
        InvalidSettingException e = assertThrows(InvalidSettingException.class, () -> config.get(setting));
        assertEquals(message, e.getMessage());
    }

    @Test
    void shouldPrintEverySettingInTheOrderOfTheTable() {
        SendfiledConfig.Builder builder = builder().loops(2).quantumBytes(5000).techniques("any=mmap");
        String printed = builder.build().toString();
        List<String> entries = List.of(printed.substring("SendfiledConfig[".length(), printed.length() - 1)
                .split(", ", -1));

        assertEquals(
                Stream.of(Setting.values())
                        .filter(setting -> !setting.isOfProgram())
                        .map(Setting::key)
                        .toList(),
                entries.stream()
                        .map(entry -> entry.substring(0, entry.indexOf('=')))
                        .toList());
        assertTrue(
                entries.containsAll(List.of(
                        "root=" + Path.of("").toAbsolutePath(),
                        "loops=2",
                        "quantum=5000",
                        "buffer=256KiB",
                        "open-timeout=30s",
                        "techniques=any=mmap")),
                printed);
        assertEquals(
                "SendfiledConfig.Builder[socket-dir=/run/test, loops=2, quantum=5000, techniques=any=mmap]",
                builder.toString());
    }

    @Test
    void shouldMakeRelativePathsAbsolute() {
        assertTrue(builder().root(Path.of("some/dir")).build().root().isAbsolute());
        assertTrue(builder().set(Setting.ROOT, ".").build().root().isAbsolute());
    }

    @ParameterizedTest
    @EnumSource(Setting.class)
    void shouldDescribeEverySettingInTheTable(Setting setting) {
        assertTrue(setting.key().matches("[a-z]+(-[a-z]+)*"), setting.key());
        assertFalse(setting.sentence().isEmpty());
        assertFalse(setting.sentence().endsWith("."));
        assertEquals(setting.kind() == Setting.Kind.FLAG, setting.argument().isEmpty());
        boolean bounded =
                switch (setting.kind()) {
                    case NUMBER, BYTES, TIME -> true;
                    case TEXT, PATH, FLAG, CHOICE, NAMES -> false;
                };
        assertEquals(bounded, !setting.range().isEmpty());
    }

    @Test
    void shouldGiveEachSettingAKeyAndLetterOfItsOwn() {
        Set<String> seen = new HashSet<>();
        for (Setting setting : Setting.values()) {
            assertTrue(seen.add(setting.key()));
            if (setting.hasShortName()) {
                assertTrue(seen.add(Character.toString(setting.shortName())));
            }
        }
    }
}
