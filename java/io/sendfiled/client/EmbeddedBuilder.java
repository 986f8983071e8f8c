package io.sendfiled.client;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.technique.TechniqueSelector;
import io.sendfiled.transport.EngineTransport;
import io.sendfiled.transport.JavaTransport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * The settings of a client with an engine inside this process. Not thread-safe.
 *
 * <pre>{@code
 * try (SendfiledClient client = SendfiledClient.embedded()
 *         .root(Path.of("/srv/www"))
 *         .root("videos", Path.of("/srv/videos"))
 *         .start()) {
 *     client.send(FileRequest.of("a.mp4").withRoot("videos").completingOn(eventLoop), socket);
 * }
 * }</pre>
 */
public final class EmbeddedBuilder {
    private SendfiledConfig config = SendfiledConfig.builder().build();
    private @Nullable Path root;
    private final Map<String, Path> named = new LinkedHashMap<>();
    private @Nullable TechniqueSelector selector;
    private @Nullable Executor copyExecutor;
    private @Nullable Executor completionExecutor;

    private boolean hot = true;
    private boolean fallback;

    EmbeddedBuilder() {}

    /**
     * The engine's settings. What concerns its socket (name, directory, users that may ask) does not matter; what limits a
     * client limits an {@linkplain FileRequest#withOwner owner}.
     */
    public EmbeddedBuilder config(SendfiledConfig value) {
        config = Objects.requireNonNull(value);
        return this;
    }

    /** The directory that paths are resolved inside; by default the configuration's. */
    public EmbeddedBuilder root(Path directory) {
        root = Objects.requireNonNull(directory);
        return this;
    }

    /**
     * One more such directory, for {@link FileRequest#withRoot}. A name that was given before gets this one.
     *
     * @param name any text
     */
    public EmbeddedBuilder root(String name, Path directory) {
        named.put(Objects.requireNonNull(name), Objects.requireNonNull(directory));
        return this;
    }

    /** Asked for the technique of every transfer that names none; each takes one more turn of its event loop. */
    public EmbeddedBuilder selector(TechniqueSelector value) {
        selector = value;
        return this;
    }

    /**
     * Whether what is in memory is sent in the thread that calls {@link SendfiledClient#send(FileRequest, Destination) send}; so by
     * default, unless the configuration has it that roots are {@linkplain SendfiledConfig#followRoot followed}. What the engine
     * does not send is in no counter and under no limit of its.
     */
    public EmbeddedBuilder hot(boolean value) {
        hot = value;
        return this;
    }

    /** As {@link SendfiledClient.Builder#copyExecutor}. */
    public EmbeddedBuilder copyExecutor(Executor value) {
        copyExecutor = value;
        return this;
    }

    /**
     * As {@link SendfiledClient.Builder#completionExecutor}. Then the client's own thread is started only when an executor refuses.
     */
    public EmbeddedBuilder completionExecutor(Executor value) {
        completionExecutor = value;
        return this;
    }

    /**
     * Whether the client works without an engine, in pure Java, where the native library cannot be loaded ({@link
     * io.sendfiled.Sendfiled#unavailabilityCause}); false by default: then {@link #start} throws. Event loops wait for no disk
     * either way: without an engine each transfer is a {@link java.nio.channels.FileChannel#transferTo} on a pool of threads.
     * What else is weaker, {@code doc/embedding.md} says; what would need a descriptor is refused with {@code EOPNOTSUPP}.
     */
    public EmbeddedBuilder fallback(boolean value) {
        fallback = value;
        return this;
    }

    /**
     * Starts the engine. May wait for the disks of the roots.
     *
     * @return the client; closing it closes the engine
     * @throws IOException if a root cannot be opened ({@code ENOENT}, {@code ENOTDIR}, ...), no descriptor is free, or no thread can
     *     be started ({@code EAGAIN})
     * @throws UnsatisfiedLinkError when the native library cannot be loaded, with the reason, and no {@link #fallback} is allowed
     */
    public SendfiledClient start() throws IOException {
        if (fallback && !NativeLibrary.isAvailable()) {
            return startInJava();
        }
        Path first = root == null ? config.root() : root;
        String thread = SendfiledClient.nextThreadName();
        EngineTransport transport = null;
        HotPath hotPath = null;
        try {
            transport = EngineTransport.start(thread, config, selector, first, named, completionExecutor == null);
            hotPath = hot && !config.followRoot() ? new HotPath(first, named) : null;
            return SendfiledClient.of(transport, new Copying(copyExecutor, thread), completionExecutor, hotPath, null);
        } catch (OutOfMemoryError e) { // no thread, or no memory for one
            release(transport, hotPath);
            NativeIoException failure = new NativeIoException("start a client's thread", Errno.EAGAIN);
            failure.initCause(e);
            throw failure;
        } catch (Throwable t) {
            release(transport, hotPath);
            throw t;
        }
    }

    /** The fallback, whether it is needed or not. */
    SendfiledClient startInJava() throws IOException {
        String thread = SendfiledClient.nextThreadName();
        JavaTransport transport = JavaTransport.start(thread, root == null ? config.root() : root, named);
        try {
            return SendfiledClient.of(transport, new Copying(copyExecutor, thread), completionExecutor, null, null);
        } catch (Throwable t) { // no memory
            transport.close();
            throw t;
        }
    }

    private static void release(@Nullable EngineTransport transport, @Nullable HotPath hotPath) {
        if (transport != null) {
            transport.close();
        }
        if (hotPath != null) {
            hotPath.close();
        }
    }
}
