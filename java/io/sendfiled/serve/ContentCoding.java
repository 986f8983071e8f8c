package io.sendfiled.serve;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Codings in which a file may lie beside itself, those first that are smallest as a rule. */
enum ContentCoding {
    BROTLI("br", ".br"),
    ZSTANDARD("zstd", ".zst"),
    GZIP("gzip", ".gz");

    private static final int UNIT = 1000; // weights have three decimals

    private final String token;
    private final String ending;

    ContentCoding(String token, String ending) {
        this.token = token;
        this.ending = ending;
    }

    /** As Accept-Encoding and Content-Encoding have it. */
    String token() {
        return token;
    }

    /** Behind the name of the file. */
    String ending() {
        return ending;
    }

    /**
     * The codings that a client prefers to the file itself, or likes as much, best first: RFC 9110, section 12.5.3.
     *
     * @param lines the values of Accept-Encoding
     */
    static List<ContentCoding> accepted(List<String> lines) {
        if (lines.isEmpty()) {
            return List.of();
        }
        Map<ContentCoding, Integer> weights = new EnumMap<>(ContentCoding.class);
        int identity = -1;
        int others = 0;
        for (String element : String.join(",", lines).split(",", -1)) {
            int semicolon = element.indexOf(';');
            String name = (semicolon < 0 ? element : element.substring(0, semicolon))
                    .strip()
                    .toLowerCase(Locale.ROOT);
            int weight = semicolon < 0 ? UNIT : weight(element.substring(semicolon + 1));
            if (name.equals("*")) {
                others = weight;
            } else if (name.equals("identity")) {
                identity = weight;
            }
            for (ContentCoding coding : values()) {
                if (name.equals(coding.token) || (coding == GZIP && name.equals("x-gzip"))) {
                    weights.put(coding, weight);
                }
            }
        }
        List<ContentCoding> accepted = new ArrayList<>();
        for (ContentCoding coding : values()) {
            int weight = weights.getOrDefault(coding, others);
            if (weight > 0 && weight >= identity) {
                accepted.add(coding);
            }
            weights.put(coding, weight);
        }
        accepted.sort(Comparator.comparing((ContentCoding coding) -> weights.getOrDefault(coding, 0))
                .reversed()); // stable
        return accepted;
    }

    /** Of {@code q=0.5}, in thousandths; 0 if it is malformed. */
    private static int weight(String parameter) {
        String text = parameter.strip().toLowerCase(Locale.ROOT);
        if (!text.startsWith("q=")) {
            return 0;
        }
        try {
            double value = Double.parseDouble(text.substring(2).strip());
            return value >= 0 && value <= 1 ? (int) Math.round(value * UNIT) : 0;
        } catch (NumberFormatException e) {
            return 0;
        }
    }
}
