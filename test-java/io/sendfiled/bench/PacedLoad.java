package io.sendfiled.bench;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * What http_paced reports: requests on a schedule, whose latencies are counted from when each was due. So a server that stalls
 * is charged for all requests that it kept waiting, not only for those that were under way (no coordinated omission).
 *
 * @param rate requests a second, as the schedule has them
 * @param latenciesUs in the order of the schedule; negative: it had no answer after so long
 */
record PacedLoad(double rate, List<Double> latenciesUs) {
    /** The line that the program prints at its end. */
    private record Printed(List<Double> latencies_us) {}

    private static final int DIGITS = 3;

    static PacedLoad parse(double rate, String json) throws IOException {
        return new PacedLoad(rate, LoadClient.parse(json, Printed.class).latencies_us());
    }

    /** In nanoseconds, with three digits; those of requests without an answer as long as they have waited. */
    Histogram histogram() {
        Histogram histogram = new Histogram(DIGITS);
        latenciesUs.forEach(latencyUs -> histogram.recordValue((long) (Math.abs(latencyUs) * 1e3)));
        return histogram;
    }

    /** Requests that were not answered within a second after the last was due. */
    long unanswered() {
        return latenciesUs.stream().filter(latencyUs -> latencyUs < 0).count();
    }

    /** Answers in each slice of so many milliseconds, from the start to the end of the schedule. */
    long[] answersBySlice(int sliceMs) {
        double sliceUs = TimeUnit.MILLISECONDS.toMicros(sliceMs);
        double gapUs = 1e6 / rate;
        // What is left of one at the end is none of its own: it would look like a stall.
        long[] answers = new long[(int) Math.round(latenciesUs.size() * gapUs / sliceUs)];
        for (int i = 0; i < latenciesUs.size(); i++) {
            double latencyUs = latenciesUs.get(i);
            int slice = (int) ((i * gapUs + latencyUs) / sliceUs);
            if (latencyUs >= 0 && slice < answers.length) {
                answers[slice]++;
            }
        }
        return answers;
    }
}
