package io.sendfiled.bench;

import io.sendfiled.bench.Report.Metric;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
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

        private boolean isOfItself() {
            return !theirs.testCase().equals(ours.testCase());
        }
    }

    /**
     * Sides that do the same.
     *
     * @param ours those of sendfiled, of which the first in the run counts
     * @param theirs the others
     * @param left metrics that are not compared
     */
    private record Rivals(Pattern ours, Pattern theirs, Set<String> left) {
        static Rivals of(String ours, String theirs, String... left) {
            return new Rivals(Pattern.compile(ours), Pattern.compile(theirs), Set.of(left));
        }

        boolean compares(Metric our, Metric their) {
            return is(ours, our) && is(theirs, their) && isBeside(our) == isBeside(their) && !left.contains(our.name());
        }

        private static boolean is(Pattern side, Metric metric) {
            return side.matcher(metric.subject().replace(BESIDE, "")).matches();
        }

        private static boolean isBeside(Metric metric) {
            return metric.subject().endsWith(BESIDE);
        }
    }

    /** At the end of a subject that has cold downloads beside it. */
    private static final String BESIDE = ", beside cold";
    /** The case of a subject that has nothing beside it, or the end of its name. */
    private static final String ALONE = "alone";

    private static final String SERVERS = "sfd serve|our Netty handler|http_(open|session)_server|sendfiled(, cache)?"
            + "|(Java, )?(session|path)|session, (path|no cache)|the same, by sessions|datagrams";
    private static final List<Rivals> RIVALS = List.of(
            Rivals.of(
                    SERVERS,
                    "original's calls|cat|nginx, (sendfile on|open_file_cache|aio threads)|DefaultFileRegion|ChunkedNioFile"
                            + "|Vert.x sendFile|(platform|virtual) threads"),
            // They serve nobody else: that they hold no memory, and need not switch, is no merit.
            Rivals.of(SERVERS, "fewest calls|bare loop, .*", Cost.MEMORY, Cost.SWITCHES),
            // In the caller's own process.
            Rivals.of(
                    "into a buffer|through the pipe",
                    "its own mmap|the same, MAP_POPULATE",
                    Cost.MEMORY,
                    Cost.SWITCHES,
                    Cost.CPU),
            Rivals.of("sealed before|sealing included(, huge)?", "copied by a socket"),
            Rivals.of("buffer|huge pages", "copied"),
            Rivals.of("auto", "forced .*"));
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

    private List<Loss> find() {
        Map<String, List<Case>> found = new LinkedHashMap<>();
        Set<String> done = new HashSet<>();
        for (Metric ours : results.metrics()) {
            String kind = String.join("\0", ours.scenario(), ours.name(), ours.unit());
            String figure =
                    String.join("\0", kind, ours.testCase(), ours.subject().endsWith(BESIDE) ? BESIDE : "");
            if (!done.contains(figure)) { // by the first of ours: what the next does worse is no news
                worst(ours).ifPresent(loss -> {
                    done.add(figure);
                    found.computeIfAbsent(kind, key -> new ArrayList<>()).add(loss);
                });
            }
        }
        Comparator<Case> worstFirst =
                Comparator.comparingDouble((Case loss) -> loss.factor().value()).reversed();
        found.values().forEach(cases -> cases.sort(worstFirst));
        return found.values().stream()
                .map(Loss::new)
                .sorted(Comparator.comparing(Loss::worst, worstFirst))
                .toList();
    }

    private Optional<Case> worst(Metric ours) {
        return results.metrics().stream()
                .filter(theirs -> areRivals(ours, theirs))
                .filter(theirs -> !isJudged(ours, theirs))
                .map(theirs -> new Case(ours, theirs, factor(ours, theirs)))
                .filter(loss -> loss.factor().rounds() >= Ratio.FEWEST_ROUNDS
                        && loss.factor().low() > TOLERANCE)
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
                || (ours.subject().matches(SERVERS) && isAlone(ours, theirs));
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
