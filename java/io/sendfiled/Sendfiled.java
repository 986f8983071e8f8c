package io.sendfiled;

import io.sendfiled.client.EmbeddedBuilder;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.counters.Counters;
import io.sendfiled.engine.Engine;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.technique.TechniqueSelector;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A running engine: the request socket, its event loops and its disk pool, inside this JVM. The program {@code sendfiled}
 * is a command line around the same engine.
 *
 * <pre>{@code
 * try (Sendfiled server = Sendfiled.launch(SendfiledConfig.builder().name("web").root(Path.of("/srv")).build())) {
 *     ... // clients connect to server.socketPath()
 * }
 * }</pre>
 *
 * <p>It does not restrict the process: the sandbox of the program {@code sendfiled} is for a process that does nothing
 * else.
 *
 * <p>All methods may be called by any thread. The engine's threads are daemon threads: they do not keep a JVM alive.
 */
public final class Sendfiled implements AutoCloseable {
    /** How long {@link #close} waits for disks before it leaves their threads behind, in seconds. */
    public static final int CLOSE_SECONDS = Engine.CLOSE_SECONDS;

    private final Engine engine;

    private Sendfiled(Engine engine) {
        this.engine = engine;
    }

    /** Whether the native library, which clients and buffers need as well, can be loaded in this JVM. */
    public static boolean isAvailable() {
        return NativeLibrary.isAvailable();
    }

    /** Why the native library cannot be loaded; null when it can. */
    public static @Nullable Throwable unavailabilityCause() {
        return NativeLibrary.unavailabilityCause();
    }

    /**
     * Starts an engine. Clients can connect when this returns.
     *
     * @throws NativeIoException with the errno, when the socket cannot be bound or the root cannot be opened: {@code
     *     EADDRINUSE} if an instance of that name is running in that directory, {@code ENOENT} or {@code ENOTDIR} for
     *     the root
     * @throws io.sendfiled.config.InvalidSettingException naming a user or group that may ask, but does not exist
     * @throws UnsatisfiedLinkError when there is no native library for this machine
     */
    public static Sendfiled launch(SendfiledConfig config) throws NativeIoException {
        return new Sendfiled(Engine.launch(config));
    }

    /**
     * The same with a selector of techniques, which is asked before the rules of the configuration for every transfer
     * whose request names none. Each such transfer takes one more turn of its event loop.
     *
     * @throws NativeIoException as {@link #launch(SendfiledConfig)}
     */
    public static Sendfiled launch(SendfiledConfig config, TechniqueSelector selector) throws NativeIoException {
        return new Sendfiled(Engine.launch(config, selector));
    }

    /**
     * A client with an engine of its own inside this JVM: no daemon, no socket, no pipe. What a request asks for goes into the
     * mailbox of an event loop, and what becomes of it comes back in batches, on a thread of the client's or on an {@linkplain
     * io.sendfiled.client.FileRequest#completingOn executor}. Closing the client closes the engine. May wait for the disk of the
     * root.
     *
     * @param config the engine's settings; what concerns its socket does not matter
     * @throws IOException as {@link EmbeddedBuilder#start}
     * @throws UnsatisfiedLinkError when there is no native library for this machine
     */
    public static SendfiledClient embedded(SendfiledConfig config) throws IOException {
        return embedded().config(config).start();
    }

    /** The same with several roots, executors and other settings. */
    public static EmbeddedBuilder embedded() {
        return SendfiledClient.embedded();
    }

    /**
     * The same client for a daemon on this host; as {@link SendfiledClient#connect()}.
     *
     * @throws io.sendfiled.client.DaemonUnavailableException if no daemon is found
     */
    public static SendfiledClient connect() throws IOException {
        return SendfiledClient.connect();
    }

    /**
     * As {@link SendfiledClient#connect(String)}.
     *
     * @throws io.sendfiled.client.DaemonUnavailableException if no daemon is found
     */
    public static SendfiledClient connect(String name) throws IOException {
        return SendfiledClient.connect(name);
    }

    /**
     * As {@link SendfiledClient#connect(Path, String)}.
     *
     * @throws io.sendfiled.client.DaemonUnavailableException if no daemon listens there
     */
    public static SendfiledClient connect(Path socketDirectory, String name) throws IOException {
        return SendfiledClient.connect(socketDirectory, name);
    }

    /** The configuration that holds: that of the launch, or of the last {@link #reload}. */
    public SendfiledConfig config() {
        return engine.config();
    }

    /**
     * Goes on with other settings: limits, times, quantum and techniques, those whose {@link
     * io.sendfiled.config.Setting#change} is {@code RELOAD}. Each request sees all of them or none. What was accepted goes
     * on: a limit that is lower than what is under way refuses new requests only, and limits of time hold for a transfer
     * under way from its next wait on. Does not block, but to look up users and groups that were not allowed before, as a
     * start does; does nothing after {@link #close}.
     *
     * @param config with the values of {@link #config} for all other settings
     * @throws io.sendfiled.config.InvalidSettingException naming another setting that differs, or a user or group that does
     *     not exist, or that the request socket, which stays as it is, does not let connect; nothing is changed then
     */
    public void reload(SendfiledConfig config) {
        engine.reload(config);
    }

    /** The request socket that clients connect to. */
    public Path socketPath() {
        return engine.config().socketPath();
    }

    /** Counters of what it has done since it was launched; also readable after {@link #close}. */
    public Counters counters() {
        return engine.counters();
    }

    /** Why an event loop has ended although the engine was not closed; null if none has. */
    public @Nullable Throwable failure() {
        return engine.failure();
    }

    /**
     * Stops: no further request is taken, transfers that are under way end with {@code ESHUTDOWN}, the socket is removed,
     * all descriptors are closed. Idempotent. Waits for tasks that disks are still working on, at most
     * {@value #CLOSE_SECONDS} seconds; a disk that takes longer keeps its threads and their memory. Ends a
     * {@link #close(Duration)} of another thread.
     */
    @Override
    public void close() {
        engine.close();
    }

    /**
     * Lets transfers that are under way go on until they have ended, but no longer than {@code drain}, and then stops as
     * {@link #close()} does. Meanwhile no client can connect, and requests for new transfers are refused with {@code
     * ESHUTDOWN}; files that are opened, and not being sent, end with it at once. Idempotent. Blocks for as long as that
     * takes; a thread that is interrupted, or another one that calls {@link #close()}, stops at once.
     *
     * @param drain not negative
     * @throws IllegalArgumentException when it is negative
     */
    public void close(Duration drain) {
        engine.close(drain);
    }
}
