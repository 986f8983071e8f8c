package io.sendfiled.daemon;

import java.util.Collection;
import org.jspecify.annotations.Nullable;

/** Which word somebody may have meant who wrote another one. Pure. */
final class Spelling {
    private Spelling() {}

    /**
     * The word that differs in the fewest characters, upper or lower case aside.
     *
     * @param share a word is meant only if no more than one in so many of its characters differ, or one
     * @return null when nothing is that near
     */
    static @Nullable String nearest(String word, Collection<String> known, int share) {
        String nearest = null;
        int least = Integer.MAX_VALUE;
        for (String candidate : known) {
            int distance = distance(word, candidate);
            if (distance < least && distance <= Math.max(1, candidate.length() / share)) {
                nearest = candidate;
                least = distance;
            }
        }
        return nearest;
    }

    /** Insertions, deletions, replacements, and exchanges of two neighbours: the optimal string alignment distance. */
    static int distance(String a, String b) {
        int[][] cost = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    cost[i][j] = i + j;
                    continue;
                }
                boolean same = same(a.charAt(i - 1), b.charAt(j - 1));
                int least = Math.min(cost[i - 1][j - 1] + (same ? 0 : 1), Math.min(cost[i - 1][j], cost[i][j - 1]) + 1);
                if (i > 1
                        && j > 1
                        && same(a.charAt(i - 1), b.charAt(j - 2))
                        && same(a.charAt(i - 2), b.charAt(j - 1))) {
                    least = Math.min(least, cost[i - 2][j - 2] + 1);
                }
                cost[i][j] = least;
            }
        }
        return cost[a.length()][b.length()];
    }

    private static boolean same(char a, char b) {
        return Character.toLowerCase(a) == Character.toLowerCase(b);
    }
}
