package io.sendfiled.technique;

/**
 * Chooses how the bytes of each transfer are moved whose request leaves it open; given to {@code Sendfiled.launch}, in
 * place of the rules of the configuration.
 *
 * <pre>{@code
 * Sendfiled.launch(config, (size, type, blocking) -> size > 1 << 20 ? Technique.SPLICE : Technique.AUTO);
 * }</pre>
 */
@FunctionalInterface
public interface TechniqueSelector {
    /**
     * Chooses for one transfer. Called on an event loop's thread, by several of them at the same time: it must return at
     * once, for all transfers of the loop wait for it. A technique that does not fit the destination, or an exception, is
     * counted ({@link io.sendfiled.counters.Counter#UNFIT_SELECTIONS}), logged the first time, and the rules decide.
     *
     * @param size the bytes that it will move
     * @param type what they go to
     * @param blocking whether the destination's description lacks {@code O_NONBLOCK}
     * @return the technique; {@link Technique#AUTO} leaves it to the rules
     */
    Technique choose(long size, DestinationType type, boolean blocking);
}
