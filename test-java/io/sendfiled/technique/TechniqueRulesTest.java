package io.sendfiled.technique;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.sendfiled.config.InvalidSettingException;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.technique.TechniqueRules.Blocking;
import io.sendfiled.technique.TechniqueRules.Rule;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class TechniqueRulesTest {
    private static TechniqueRules parse(String text) {
        return SendfiledConfig.builder()
                .socketDirectory(Path.of("/run/test"))
                .set(Setting.TECHNIQUES, text)
                .build()
                .techniques();
    }

    @Test
    void shouldReadEveryPartOfARule() {
        assertEquals(
                List.of(
                        new Rule(Set.of(DestinationType.TCP), Blocking.BLOCKING, 4096, Technique.MMAP),
                        new Rule(
                                EnumSet.of(DestinationType.TCP, DestinationType.UNIX, DestinationType.SEQPACKET),
                                Blocking.NONBLOCKING,
                                Long.MAX_VALUE,
                                Technique.SENDFILE),
                        new Rule(EnumSet.allOf(DestinationType.class), Blocking.ANY, 0, Technique.READ_WRITE)),
                parse("tcp/blocking<=4KiB=mmap, socket/nonblocking=sendfile,any<=0=read-write")
                        .rules());
    }

    @Test
    void shouldKnowEveryDestination() {
        List<Rule> rules = parse("unix=sendfile,pipe=splice,file=copy-file-range,device=read-write")
                .rules();

        assertEquals(Set.of(DestinationType.UNIX), rules.get(0).types());
        assertEquals(Set.of(DestinationType.PIPE), rules.get(1).types());
        assertEquals(Set.of(DestinationType.FILE), rules.get(2).types());
        assertEquals(Set.of(DestinationType.DEVICE), rules.get(3).types());
    }

    @Test
    void shouldPackTwoNumbersARuleForTheEngine() {
        assertArrayEquals(
                new long[] {4096, 1 << 2 | 1 << 16 | 3 << 24, Long.MAX_VALUE, 1 << 4 | 5 << 24},
                parse("tcp/blocking<=4096=mmap,file=copy-file-range").packed());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            value = {
                "pipe ! 'pipe' is not a rule (DEST[/blocking|/nonblocking][<=SIZE]=TECHNIQUE)",
                "pipe<=4k ! 'pipe<=4k' is not a rule (DEST[/blocking|/nonblocking][<=SIZE]=TECHNIQUE)",
                "=splice ! '=splice' is not a rule (DEST[/blocking|/nonblocking][<=SIZE]=TECHNIQUE)",
                "pipe=splice, ! '' is not a rule (DEST[/blocking|/nonblocking][<=SIZE]=TECHNIQUE)",
                "fifo=splice ! 'fifo' in 'fifo=splice' is not a destination"
                        + " (any, tcp, unix, seqpacket, socket, pipe, file, device)",
                "pipe=auto ! 'auto' in 'pipe=auto' is not a technique"
                        + " (sendfile, splice, mmap, read-write, copy-file-range)",
                "pipe= ! '' in 'pipe=' is not a technique (sendfile, splice, mmap, read-write, copy-file-range)",
                "pipe/slow=splice ! 'slow' in 'pipe/slow=splice' is not allowed there (blocking, nonblocking)",
                "any<=4X=splice ! '4X' in 'any<=4X=splice' is not a number of bytes"
                        + " (0..9223372036854775807, with K, M or G)",
                "any<=-1=splice ! '-1' in 'any<=-1=splice' is not a number of bytes"
                        + " (0..9223372036854775807, with K, M or G)",
                "any<=9999999999G=splice ! '9999999999G' in 'any<=9999999999G=splice' is not a number of bytes"
                        + " (0..9223372036854775807, with K, M or G)",
            })
    void shouldRefuseWithKeyValueAndWhatIsAllowed(String text, String problem) {
        InvalidSettingException e = assertThrows(InvalidSettingException.class, () -> parse(text));

        assertSame(Setting.TECHNIQUES, e.setting());
        assertEquals("techniques: " + problem, e.getMessage());
    }

    @Test
    void shouldRefuseMoreRulesThanTheEngineKeeps() {
        String rules = "pipe=splice,".repeat(16) + "pipe=splice";

        InvalidSettingException e = assertThrows(InvalidSettingException.class, () -> parse(rules));

        assertEquals("techniques: '" + rules + "' has 17 rules (at most 16)", e.getMessage());
    }
}
