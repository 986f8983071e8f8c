package io.sendfiled.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.config.Setting;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** R1: what holds for every command line. */
final class CommandLinePropertyTest {
    /** Empty when it is refused, which is the one way that it may fail. */
    private static Optional<ProgramConfig> parse(List<String> args) {
        try {
            CommandLine line = CommandLine.parse(args.toArray(new String[0]));
            return Optional.of(new ConfigSources(line, Map.of(), false, Path.of("/nowhere")).load());
        } catch (UsageException e) {
            String message = String.valueOf(e.getMessage());
            assertFalse(message.isBlank() || message.equals("null"), () -> "no word about " + args);
            return Optional.empty();
        }
    }

    @Property(tries = 10_000)
    void everyCommandLineIsReadOrRefusedWithAWord(@ForAll("lines") List<String> args) {
        parse(args).ifPresent(settings -> assertNotNull(settings.sandbox()));
    }

    @Provide
    Arbitrary<List<String>> lines() {
        Arbitrary<String> options = Arbitraries.of(Setting.values())
                .flatMap(setting -> Arbitraries.of(
                        "--" + setting.key(),
                        "--" + setting.key() + "=",
                        "--" + setting.key() + "=1",
                        "-" + (setting.hasShortName() ? setting.shortName() : 'z'),
                        "--" + setting.key().substring(1)));
        Arbitrary<String> values = Arbitraries.of("1", "9999", "4k", "web", "/srv", "-1", "", "any=splice", "on");
        Arbitrary<String> odd =
                Arbitraries.of("-", "--", "---", "-h", "--help", "-V", "-=", "--=1", "-hV", "-n5", "\"x\"");
        return Arbitraries.oneOf(
                        options, options, values, odd, Arbitraries.strings().ofMaxLength(8))
                .list()
                .ofMaxSize(8);
    }

    @Property(tries = 2_000)
    void theLastOfTwoValuesCounts(@ForAll("numbers") Given first, @ForAll("numbers") Given second) {
        List<String> args = new ArrayList<>();
        args.addAll(first.arguments());
        args.addAll(second.arguments());
        Optional<ProgramConfig> settings = parse(args);

        assertTrue(settings.isPresent(), () -> args + " is refused");
        assertEquals(
                second.value(),
                settings.get()
                        .engine()
                        .socketDirectory(Path.of("/run/x"))
                        .build()
                        .maxTransfers());
    }

    /** A number of transfers, written somehow. */
    record Given(int value, List<String> arguments) {}

    @Provide
    Arbitrary<Given> numbers() {
        return Combinators.combine(
                        Arbitraries.integers().between(1, 1_000_000),
                        Arbitraries.integers().between(0, 3))
                .as((value, form) -> new Given(
                        value,
                        switch (form) {
                            case 0 -> List.of("-n", "" + value);
                            case 1 -> List.of("-n" + value);
                            case 2 -> List.of("--max-transfers=" + value);
                            default -> List.of("--max-transfers", "" + value);
                        }));
    }
}
