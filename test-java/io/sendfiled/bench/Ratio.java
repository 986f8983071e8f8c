package io.sendfiled.bench;

import com.google.gson.annotations.SerializedName;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A ratio, or a number with a goal, and between what it may lie.
 *
 * @param value the median of the ratios of the rounds; NaN: it was not measured
 * @param low the lower end of the interval in which the true median lies, with a confidence of {@link #CONFIDENCE} if there
 *     were {@link #FEWEST_ROUNDS} or more; of fewer, the least of them
 * @param high its upper end
 * @param rounds how often it was measured; 0: that is not known
 */
record Ratio(double value, double low, double high, int rounds) {
    /** What a judgement says of a goal. */
    enum Verdict {
        @SerializedName("met")
        MET,
        @SerializedName("missed")
        MISSED,
        /** The rounds differ so much that both are possible. */
        @SerializedName("noisy")
        NOISY,
        /** It was measured in fewer rounds than say something. */
        @SerializedName("few rounds")
        FEW_ROUNDS;

        /** As people read it. */
        String word() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    /** Of fewer, the least and the greatest are no interval to judge by: of three, its confidence is 1 - 2 / 2^3. */
    static final int FEWEST_ROUNDS = 5;

    /** That of so many rounds, with all of them in it: 1 - 2 / 2^5. */
    private static final double CONFIDENCE = 0.93;

    /** A number that was measured once. */
    static Ratio of(double value) {
        return new Ratio(value, value, value, 1);
    }

    /** Of medians that have no rounds in common, and whose rounds are not known. */
    static Ratio ofMedians(double ours, double theirs) {
        double value = ours / theirs;
        return new Ratio(value, value, value, 0);
    }

    /** Of those of the same round: what drifts from round to round is in both halves of each ratio. */
    static Ratio ofRounds(Report.Metric our, Report.Metric their) {
        List<Double> ours = our.samples();
        List<Double> theirs = their.samples();
        int count = Math.min(ours.size(), theirs.size());
        if (count == 0) {
            return of(Double.NaN);
        }
        double[] ratios = new double[count];
        for (int i = 0; i < count; i++) {
            ratios[i] = ours.get(i) / theirs.get(i);
        }
        return ofValues(ratios);
    }

    /** The median of a number that was measured in each round, and between what the true one may lie. */
    static Ratio ofSamples(Report.Metric metric) {
        return metric.samples().isEmpty()
                ? of(Double.NaN)
                : ofValues(metric.samples().stream()
                        .mapToDouble(Double::doubleValue)
                        .toArray());
    }

    /** Sorts them. */
    private static Ratio ofValues(double[] values) {
        Arrays.sort(values);
        int left = leftOut(values.length);
        return new Ratio(Units.median(values), values[left], values[values.length - 1 - left], values.length);
    }

    /**
     * How many of the sorted values are left out at each end. The true median lies outside of the interval only if so many of
     * the values, or fewer, are on one side of it, and each is on either with the same probability, whatever they are spread
     * like.
     */
    private static int leftOut(int count) {
        double combinations = 1;
        double outside = combinations; // of 2^count, on one side
        for (int k = 0; ; k++) {
            combinations = combinations * (count - k) / (k + 1);
            outside += combinations;
            if (1 - 2 * outside / Math.pow(2, count) < CONFIDENCE) {
                return k;
            }
        }
    }

    /** In another unit. */
    Ratio times(double scale) {
        return new Ratio(value * scale, low * scale, high * scale, rounds);
    }

    /**
     * Of two that have no rounds in common, as those of two runs. The interval is as wide as both allow: the true ratio lies
     * outside only if one of the true medians is outside of its own.
     */
    Ratio over(Ratio other) {
        return new Ratio(value / other.value, low / other.high, high / other.low, Math.min(rounds, other.rounds));
    }

    boolean isMeasured() {
        return Double.isFinite(value);
    }

    /** What it says of a goal; null without one. */
    @Nullable
    Verdict verdict(Report.@Nullable Goal goal) {
        return verdict(goal, FEWEST_ROUNDS);
    }

    /** The same of a number that is certain after so many rounds. */
    @Nullable
    Verdict verdict(Report.@Nullable Goal goal, int fewest) {
        if (goal == null) {
            return null;
        }
        if (rounds < fewest) {
            return Verdict.FEW_ROUNDS;
        }
        boolean worst = goal.isMetBy(goal.atLeast() ? low : high);
        boolean best = goal.isMetBy(goal.atLeast() ? high : low);
        return worst ? Verdict.MET : best ? Verdict.NOISY : Verdict.MISSED;
    }

    /** As people read it: {@code 1.05}, or {@code 1.05 [0.98, 1.11]} with an interval. */
    String shown() {
        return Units.ratio(value) + (low == high ? "" : " [" + Units.ratio(low) + ", " + Units.ratio(high) + "]");
    }
}
