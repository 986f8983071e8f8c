package io.sendfiled.netty;

/**
 * The user event that a {@link SendfiledHandler} fires when the engine has moved bytes of a file: no handler sees them pass.
 * {@link io.netty.handler.timeout.IdleStateHandler}s of the pipeline are told without it.
 *
 * @param file the file, which is still the handler's
 * @param transferred how many of its bytes the channel has taken so far
 */
public record FileProgress(SendfiledFile file, long transferred) {}
