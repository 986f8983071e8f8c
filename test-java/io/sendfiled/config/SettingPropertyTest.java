package io.sendfiled.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.sendfiled.technique.DestinationType;
import io.sendfiled.technique.Technique;
import io.sendfiled.technique.TechniqueRules;
import io.sendfiled.technique.TechniqueRules.Blocking;
import io.sendfiled.technique.TechniqueRules.Rule;
import io.sendfiled.units.ByteSizes;
import io.sendfiled.units.Times;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** R1, R12: what holds for every text that somebody may give a setting. */
final class SettingPropertyTest {
    private static final BigInteger LONG_MAX = BigInteger.valueOf(Long.MAX_VALUE);
    private static final BigInteger LONG_MIN = BigInteger.valueOf(Long.MIN_VALUE);

    @Property(tries = 20_000)
    void everyTextIsTakenAsItStandsOrRefusedWithTheKey(@ForAll Setting setting, @ForAll("texts") String text) {
        Object value;
        try {
            value = setting.parse(text);
        } catch (InvalidSettingException e) {
            assertEquals(setting, e.setting());
            assertTrue(String.valueOf(e.getMessage()).startsWith(setting.key() + ": "), e.getMessage());
            return;
        }
        switch (setting.kind()) {
            case TEXT -> assertEquals(text, value);
            case PATH -> assertEquals(Path.of(text).toAbsolutePath(), value);
            case NUMBER -> {
                long number = (Long) value;
                assertEquals(number, setting.checkNumber(number)); // within its bounds
                assertEquals(new BigInteger(text), BigInteger.valueOf(number));
            }
            case BYTES, TIME -> {
                long number = (Long) value;
                assertEquals(number, setting.checkNumber(number));
                assertEquals(
                        number,
                        setting.parse(
                                setting.kind() == Setting.Kind.TIME ? Times.format(number) : ByteSizes.format(number)));
            }
            case FLAG -> assertTrue(value instanceof Boolean);
            case NAMES -> assertEquals(value, setting.parse(String.join(" , ", Setting.namesOf(value))));
            case CHOICE ->
                assertTrue(Set.of("on", "off", "auto").contains(value) && text.equalsIgnoreCase((String) value));
        }
    }

    @Provide
    Arbitrary<String> texts() {
        Arbitrary<String> any = Arbitraries.strings().ofMaxLength(20);
        Arbitrary<String> numbers = Arbitraries.oneOf(
                Arbitraries.longs().map(String::valueOf),
                Arbitraries.bigIntegers().map(String::valueOf),
                Arbitraries.longs().between(-2, 5000).map(String::valueOf));
        Arbitrary<String> units = Arbitraries.of(
                "", "", "K", "k", "M", "G", "KiB", "mib", "GB", "iB", "T", "P", "ms", "s", "m", "h", "d", ".5s", " ",
                "\u0662");
        Arbitrary<String> sizes = Combinators.combine(numbers, units).as((n, u) -> n + u);
        Arbitrary<String> rules = Combinators.combine(ruleTexts(), any).as((r, x) -> r + "," + x);
        Arbitrary<String> words = Arbitraries.of("on", "OFF", "yes", "No", "1", "0", "auto", "web", "/srv", "", "a\0b");
        Arbitrary<String> longOnes =
                Arbitraries.strings().withChars("a\u00e4").ofMinLength(70).ofMaxLength(300);
        return Arbitraries.oneOf(any, numbers, sizes, ruleTexts(), rules, words, longOnes);
    }

    @Property(tries = 5_000)
    void aSizeIsItsNumberTimesItsUnitOrTooBig(
            @ForAll("bigNumbers") BigInteger number, @ForAll("unitsOfSizes") String unit) {
        int power = unit.isEmpty() ? 0 : 1 + "KMGT".indexOf(Character.toUpperCase(unit.charAt(0)));
        BigInteger base = BigInteger.valueOf(unit.length() == 2 ? 1000 : 1024);
        BigInteger exact = number.multiply(base.pow(power));
        try {
            assertEquals(exact, BigInteger.valueOf(ByteSizes.parse(number + unit)));
        } catch (ArithmeticException e) { // R12: never a number that has wrapped around
            assertTrue(exact.compareTo(LONG_MAX) > 0 || exact.compareTo(LONG_MIN) < 0, number + unit);
        }
    }

    @Provide
    Arbitrary<BigInteger> bigNumbers() {
        return Arbitraries.oneOf(
                Arbitraries.bigIntegers(),
                Arbitraries.longs().map(BigInteger::valueOf),
                Arbitraries.of(
                        LONG_MAX,
                        LONG_MIN,
                        LONG_MAX.shiftRight(10),
                        LONG_MAX.shiftRight(30).add(BigInteger.ONE)));
    }

    @Provide
    Arbitrary<String> unitsOfSizes() {
        return Arbitraries.of("", "k", "K", "KiB", "kB", "M", "mIb", "MB", "G", "GiB", "gb", "t", "TiB", "TB");
    }

    /** A rule and its text. */
    private record Written(String text, Rule rule) {}

    @Property(tries = 5_000)
    void rulesAreReadAsTheyWereWritten(@ForAll("writtenRules") List<Written> written) {
        List<Rule> rules = written.stream().map(Written::rule).toList();
        String text = String.join(" , ", written.stream().map(Written::text).toList());
        TechniqueRules read = TechniqueRules.parse(text);

        assertEquals(rules, read.rules());
        long[] packed = read.packed();
        assertEquals(2 * rules.size(), packed.length);
        for (int i = 0; i < rules.size(); i++) {
            Rule rule = rules.get(i);
            assertEquals(rule.maxBytes(), packed[2 * i]);
            assertEquals(rule.technique().code(), packed[2 * i + 1] >> 24);
            assertEquals(codeOf(rule.blocking()), packed[2 * i + 1] >> 16 & 0xff);
            assertEquals(rule.types().size(), Long.bitCount(packed[2 * i + 1] & 0xffff));
        }
    }

    @Provide
    Arbitrary<List<Written>> writtenRules() {
        return written().list().ofMinSize(1).ofMaxSize(TechniqueRules.MAX);
    }

    private static Arbitrary<Written> written() {
        Arbitrary<String> types = Arbitraries.of("any", "tcp", "unix", "seqpacket", "socket", "pipe", "file", "device");
        Arbitrary<Blocking> blocking = Arbitraries.of(Blocking.class);
        Arbitrary<Long> sizes = Arbitraries.longs().greaterOrEqual(0);
        Arbitrary<Technique> techniques = Arbitraries.of(EnumSet.complementOf(EnumSet.of(Technique.AUTO)));
        return Combinators.combine(types, blocking, sizes, techniques).as((type, block, size, technique) -> {
            String suffix =
                    switch (block) {
                        case ANY -> "";
                        case BLOCKING -> "/blocking";
                        case NONBLOCKING -> "/nonblocking";
                    };
            String limit = size == Long.MAX_VALUE ? "" : "<=" + size;
            return new Written(
                    type + suffix + limit + "=" + technique.label(), new Rule(typesOf(type), block, size, technique));
        });
    }

    private static int codeOf(Blocking blocking) {
        return switch (blocking) {
            case ANY -> 0;
            case BLOCKING -> 1;
            case NONBLOCKING -> 2;
        };
    }

    private static Set<DestinationType> typesOf(String word) {
        return switch (word) {
            case "any" -> EnumSet.allOf(DestinationType.class);
            case "socket" -> EnumSet.of(DestinationType.TCP, DestinationType.UNIX, DestinationType.SEQPACKET);
            default ->
                EnumSet.copyOf(Arrays.stream(DestinationType.values())
                        .filter(type -> type.name().toLowerCase(Locale.ROOT).equals(word))
                        .toList());
        };
    }

    private static Arbitrary<String> ruleTexts() {
        return written().map(Written::text);
    }

    @Property(tries = 10_000)
    void damagedRulesAreReadOrRefusedAndNothingElse(
            @ForAll("ruleTextsToDamage") String text, @ForAll int at, @ForAll char with) {
        StringBuilder damaged = new StringBuilder(text);
        damaged.setCharAt(Math.floorMod(at, text.length()), with);
        try {
            List<Rule> rules = TechniqueRules.parse(damaged.toString()).rules();
            assertFalse(rules.isEmpty());
            for (Rule rule : rules) {
                assertFalse(rule.types().isEmpty());
                assertTrue(rule.maxBytes() >= 0 && rule.technique() != Technique.AUTO, rule.toString());
            }
        } catch (IllegalArgumentException e) {
            assertSame(
                    IllegalArgumentException.class,
                    e.getClass()); // made by the parser, not one of the JDK's that it let pass
            InvalidSettingException refusal =
                    assertThrows(InvalidSettingException.class, () -> Setting.TECHNIQUES.checkText(damaged.toString()));
            assertEquals(Setting.TECHNIQUES, refusal.setting());
        } catch (RuntimeException e) {
            fail(damaged + ": " + e, e);
        }
    }

    @Provide
    Arbitrary<String> ruleTextsToDamage() {
        return ruleTexts().list().ofMinSize(1).ofMaxSize(3).map(rules -> String.join(",", rules));
    }
}
