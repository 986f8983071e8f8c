package io.sendfiled.technique;

/**
 * Selects the technique of each transfer whose request does not name one; given to {@code Sendfiled.launch}, and asked
 * before the rules of the configuration.
 *
 * <pre>{@code
 * Sendfiled.launch(config, (size, type, blocking) -> size > 1 << 20 ? Technique.SPLICE : Technique.AUTO);
 * }</pre>
 */
@FunctionalInterface
public interface TechniqueSelector {
    /**
     * Selects for one transfer. Called on the threads of several event loops at the same time. It must return at once:
     * all transfers of the loop wait for it. A technique that does not fit the destination, or an exception, is counted
     * ({@link io.sendfiled.counters.Counter#UNFIT_SELECTIONS}), logged the first time, and the rules decide.
     *
     * @param size the bytes that it will move
     * @param type the type of the destination
     * @param blocking whether the destination's description lacks {@code O_NONBLOCK}
     * @return the technique; {@link Technique#AUTO} leaves it to the rules
     */
    Technique choose(long size, DestinationType type, boolean blocking);
}
