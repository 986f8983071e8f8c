package io.sendfiled.technique;

import io.sendfiled.units.ByteSizes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The rules by which the engine selects a technique when the request does not name one. They are tried in order; the
 * first one decides that matches the transfer, and whose technique fits the destination. Immutable, any thread.
 *
 * <p>As text, separated by commas: {@code DEST[/blocking|/nonblocking][<=SIZE]=TECHNIQUE}.
 */
public final class TechniqueRules {
    /** The most rules that the engine keeps. */
    public static final int MAX = 16;

    private static final String FORM = "DEST[/blocking|/nonblocking][<=SIZE]=TECHNIQUE";
    private static final String DESTINATIONS = "any, tcp, unix, seqpacket, socket, pipe, file, device";

    /** Whether the destination's description must, or must not, have {@code O_NONBLOCK}. */
    public enum Blocking {
        ANY(0),
        BLOCKING(1),
        NONBLOCKING(2);

        private final int code;

        Blocking(int code) {
            this.code = code;
        }
    }

    /**
     * One rule.
     *
     * @param maxBytes the longest transfer that it matches
     */
    public record Rule(Set<DestinationType> types, Blocking blocking, long maxBytes, Technique technique) {}

    private final String text;
    private final List<Rule> rules;

    private TechniqueRules(String text, List<Rule> rules) {
        this.text = text;
        this.rules = List.copyOf(rules);
    }

    /** The rules in their order. */
    public List<Rule> rules() {
        return rules;
    }

    /** Two numbers a rule, as {@code EngineNative.create} takes them: most bytes; kinds, blocking, technique packed. */
    public long[] packed() {
        long[] numbers = new long[2 * rules.size()];
        for (int i = 0; i < rules.size(); i++) {
            Rule rule = rules.get(i);
            long kinds = 0;
            for (DestinationType type : rule.types) {
                kinds |= 1L << type.code();
            }
            numbers[2 * i] = rule.maxBytes;
            numbers[2 * i + 1] = kinds | (long) rule.blocking.code << 16 | (long) rule.technique.code() << 24;
        }
        return numbers;
    }

    /** The rules as they were written. */
    @Override
    public String toString() {
        return text;
    }

    /**
     * Reads rules that are written as above.
     *
     * @throws IllegalArgumentException if they are not; the message says which part is wrong, and what is allowed
     */
    public static TechniqueRules parse(String text) {
        List<Rule> rules = new ArrayList<>();
        for (String rule : text.split(",", -1)) {
            rules.add(parseRule(rule.strip()));
        }
        if (rules.size() > MAX) {
            throw new IllegalArgumentException("'" + text + "' has " + rules.size() + " rules (at most " + MAX + ")");
        }
        return new TechniqueRules(text, rules);
    }

    private static Rule parseRule(String text) {
        int equals = text.lastIndexOf('=');
        if (equals <= 0 || text.charAt(equals - 1) == '<') {
            throw new IllegalArgumentException("'" + text + "' is not a rule (" + FORM + ")");
        }
        Technique technique = Technique.of(text.substring(equals + 1));
        if (technique == null || technique == Technique.AUTO) {
            throw new IllegalArgumentException(
                    "'" + text.substring(equals + 1) + "' in '" + text + "' is not a technique (" + techniques() + ")");
        }
        String left = text.substring(0, equals);
        long maxBytes = Long.MAX_VALUE;
        int most = left.indexOf("<=");
        if (most >= 0) {
            maxBytes = parseSize(left.substring(most + 2), text);
            left = left.substring(0, most);
        }
        Blocking blocking = Blocking.ANY;
        int slash = left.indexOf('/');
        if (slash >= 0) {
            blocking = parseBlocking(left.substring(slash + 1), text);
            left = left.substring(0, slash);
        }
        Set<DestinationType> types = typesOf(left);
        if (types == null) {
            throw new IllegalArgumentException(
                    "'" + left + "' in '" + text + "' is not a destination (" + DESTINATIONS + ")");
        }
        return new Rule(types, blocking, maxBytes, technique);
    }

    private static long parseSize(String size, String rule) {
        try {
            long bytes = ByteSizes.parse(size);
            if (bytes >= 0) {
                return bytes;
            }
        } catch (NumberFormatException | ArithmeticException e) {
            throw new IllegalArgumentException(sizeProblem(size, rule), e);
        }
        throw new IllegalArgumentException(sizeProblem(size, rule));
    }

    private static String sizeProblem(String size, String rule) {
        return "'" + size + "' in '" + rule + "' is not a number of bytes (0.." + Long.MAX_VALUE + ", with K, M or G)";
    }

    private static Blocking parseBlocking(String word, String rule) {
        return switch (word) {
            case "blocking" -> Blocking.BLOCKING;
            case "nonblocking" -> Blocking.NONBLOCKING;
            default ->
                throw new IllegalArgumentException(
                        "'" + word + "' in '" + rule + "' is not allowed there (blocking, nonblocking)");
        };
    }

    private static @Nullable Set<DestinationType> typesOf(String word) {
        return switch (word) {
            case "any" -> Set.of(DestinationType.values());
            case "tcp" -> Set.of(DestinationType.TCP);
            case "unix" -> Set.of(DestinationType.UNIX);
            case "seqpacket" -> Set.of(DestinationType.SEQPACKET);
            case "socket" -> Set.of(DestinationType.TCP, DestinationType.UNIX, DestinationType.SEQPACKET);
            case "pipe" -> Set.of(DestinationType.PIPE);
            case "file" -> Set.of(DestinationType.FILE);
            case "device" -> Set.of(DestinationType.DEVICE);
            default -> null;
        };
    }

    private static String techniques() {
        List<String> labels = new ArrayList<>();
        for (Technique technique : Technique.values()) {
            if (technique != Technique.AUTO) {
                labels.add(technique.label());
            }
        }
        return String.join(", ", labels);
    }
}
