package io.sendfiled.bench;

import io.sendfiled.bench.Report.Metric;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Where another side of a run is better than ours, and no goal is about it. A side is known by the name of its subject: what is
 * in no list here is a control, or what a scenario compares by itself.
 */
final class Losses {
    /**
     * Figures of one kind in a scenario.
     *
     * @param cases those in which ours is worse, the worst first
     */
    record Loss(List<Case> cases) {
        Case worst() {
            return cases.get(0);
        }
    }

    /**
     * The figure of one case.
     *
     * @param theirs the strongest of the other sides
     * @param factor by which ours is worse
     */
    record Case(Metric ours, Metric theirs, Ratio factor) {
        /** Who is better. */
        String than() {
            return theirs.subject() + (isOfItself() ? ", " + theirs.testCase() : "");
        }

        /** Not where both were zero in a round: of that there is no factor, which is the greatest then. */
        boolean isCertain() {
            return factor.rounds() >= Ratio.FEWEST_ROUNDS && factor.low() > TOLERANCE && !Double.isNaN(factor.high());
        }

        private boolean isOfItself() {
            return !theirs.testCase().equals(ours.testCase());
        }
    }

    /**
     * Sides that do the same.
     *
     * @param ours those of sendfiled, of which the first that is worse counts
     * @param theirs the others
     * @param left metrics that are not compared
     */
    private record Rivals(List<String> ours, Pattern theirs, Set<String> left) {
        static Rivals of(List<String> ours, String theirs, String... left) {
            return new Rivals(ours, Pattern.compile(theirs), Set.of(left));
        }

        boolean compares(Metric our, Metric their) {
            return ours.contains(side(our))
                    && theirs.matcher(side(their)).matches()
                    && isBeside(our) == isBeside(their)
                    && !left.contains(our.name());
        }
    }

    /** At the end of a subject that has cold downloads beside it. */
    private static final String BESIDE = ", beside cold";
    /** The case of a subject that has nothing beside it, or the end of its name. */
    private static final String ALONE = "alone";

    private static final List<String> SERVERS = List.of(
            "sfd serve",
            "our Netty handler",
            "http_session_server",
            "http_open_server",
            "sendfiled",
            "sendfiled, cache",
            "session",
            "session, path",
            "session, no cache",
            "Java, session",
            "Java, path",
            "the same, by sessions",
            "datagrams");
    private static final String OPENING =
            "nginx, (sendfile on|aio threads)|DefaultFileRegion|ChunkedNioFile|Vert.x sendFile|(platform|virtual) threads";
    private static final List<Rivals> RIVALS = List.of(
            Rivals.of(SERVERS, "original's calls|cat|nginx, file cache|" + OPENING),
            // They serve nobody else: that they hold no memory, and need not switch, is no merit.
            Rivals.of(SERVERS, "fewest calls|bare loop, .*", Cost.MEMORY, Cost.SWITCHES),
            // As those that keep no file open, too.
            Rivals.of(List.of("sfd serve, uncached"), OPENING),
            // In the caller's own process.
            Rivals.of(
                    List.of("into a buffer", "through the pipe"),
                    "its own mmap|the same, MAP_POPULATE",
                    Cost.MEMORY,
                    Cost.SWITCHES,
                    Cost.CPU),
            Rivals.of(List.of("sealed before", "sealing included", "sealing included, huge"), "copied by a socket"),
            Rivals.of(List.of("buffer", "huge pages"), "copied"),
            Rivals.of(List.of("auto"), "forced .*"));
    private static final List<List<String>> OURS =
            RIVALS.stream().map(Rivals::ours).distinct().toList();
    /** Ours is worse if the whole interval of the factor is beyond. */
    static final double TOLERANCE = 1.1;

    private final Results results;

    private Losses(Results results) {
        this.results = results;
    }

    /** The worst first. */
    static List<Loss> of(Results results) {
        return new Losses(results).find();
    }

    /** Where a subject is among those that are shown together: ours are first. */
    static int rank(String subject) {
        int rank = OURS.stream().flatMap(List::stream).toList().indexOf(subject);
        return rank < 0 ? Integer.MAX_VALUE : rank;
    }

    private List<Loss> find() {
        Map<String, List<Case>> found = new LinkedHashMap<>();
        OURS.forEach(sides -> sides.forEach(side -> results.metrics().stream()
                .filter(metric -> side(metric).equals(side) && !isToldByRate(metric))
                .forEach(ours -> worst(ours).ifPresent(loss -> add(found, sides.get(0), loss)))));
        Comparator<Case> worstFirst =
                Comparator.comparingDouble((Case loss) -> loss.factor().value()).reversed();
        found.values().forEach(cases -> cases.sort(worstFirst));
        return found.values().stream()
                .map(Loss::new)
                .sorted(Comparator.comparing(Loss::worst, worstFirst))
                .toList();
    }

    /** Unless another of our sides has been worse in the same case: what the next does worse is no news. */
    private static void add(Map<String, List<Case>> found, String sides, Case loss) {
        Metric ours = loss.ours();
        List<Case> cases = found.computeIfAbsent(
                String.join("\0", ours.scenario(), ours.name(), ours.unit(), sides), key -> new ArrayList<>());
        if (cases.stream()
                .noneMatch(other ->
                        other.ours().testCase().equals(ours.testCase()) && isBeside(other.ours()) == isBeside(ours))) {
            cases.add(loss);
        }
    }

    /** Whether it is the bytes of requests that have a rate as well. */
    private boolean isToldByRate(Metric metric) {
        return metric.name().equals(WebSide.THROUGHPUT)
                && results.metrics().stream()
                        .anyMatch(rate -> rate.name().equals(WebSide.RATE)
                                && rate.scenario().equals(metric.scenario())
                                && rate.testCase().equals(metric.testCase())
                                && rate.subject().equals(metric.subject()));
    }

    private static String side(Metric metric) {
        return metric.subject().replace(BESIDE, "");
    }

    private static boolean isBeside(Metric metric) {
        return metric.subject().endsWith(BESIDE);
    }

    private Optional<Case> worst(Metric ours) {
        return results.metrics().stream()
                .filter(theirs -> areRivals(ours, theirs))
                .filter(theirs -> !isJudged(ours, theirs))
                .map(theirs -> new Case(ours, theirs, factor(ours, theirs)))
                .filter(Case::isCertain)
                .max(Comparator.comparingDouble(loss -> loss.factor().value()));
    }

    private static boolean areRivals(Metric ours, Metric theirs) {
        if (!ours.scenario().equals(theirs.scenario())
                || !ours.name().equals(theirs.name())
                || !ours.unit().equals(theirs.unit())) {
            return false;
        }
        boolean areAlike = ours.testCase().equals(theirs.testCase());
        return (areAlike && RIVALS.stream().anyMatch(rivals -> rivals.compares(ours, theirs)))
                || (SERVERS.contains(ours.subject()) && isAlone(ours, theirs));
    }

    /** Whether one is the same with nothing beside it: in a case of that name, or as a subject that says so. */
    private static boolean isAlone(Metric ours, Metric theirs) {
        return theirs.testCase().equals(ours.testCase())
                ? theirs.subject().equals(ours.subject() + ", " + ALONE)
                : theirs.testCase().equals(ALONE) && theirs.subject().equals(ours.subject());
    }

    private static Ratio factor(Metric ours, Metric theirs) {
        return Units.isMoreBetter(ours.unit()) ? Ratio.ofRounds(theirs, ours) : Ratio.ofRounds(ours, theirs);
    }

    /** Whether a goal is about the very same ratio. */
    private boolean isJudged(Metric ours, Metric theirs) {
        Ratio ratio = Ratio.ofRounds(ours, theirs);
        return results.judged().stream()
                .filter(goal -> goal.scenario().equals(ours.scenario()))
                .map(Report.Comparison::ratio)
                .anyMatch(judged -> judged.value() == ratio.value() && judged.high() == ratio.high());
    }
}
