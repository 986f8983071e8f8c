package io.sendfiled.system.netty;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sendfiled.hot.HotRoot;
import io.sendfiled.netty.SendfiledFiles;
import io.sendfiled.support.HeldDisk;
import io.sendfiled.support.TestDestination;
import io.sendfiled.system.ClientKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** What tests of files in pipelines share: an engine, the hot path to its root, and a disk there. */
@ParameterizedClass
@MethodSource("io.sendfiled.system.netty.Transport#withEngines")
@Timeout(60)
abstract class NettyTestCase {
    @TempDir
    Path directory;

    @Parameter(0)
    Transport transport;

    @Parameter(1)
    ClientKind kind;

    ClientKind.Running engine;
    HotRoot root;
    SendfiledFiles files;

    @Nullable
    HeldDisk mounted;

    @BeforeParameterizedClassInvocation
    static void demandTransport(Transport transport, ClientKind kind) {
        transport.assumeAvailable();
    }

    /** Of the engine, by key. */
    Map<String, String> settings() {
        return Map.of();
    }

    @BeforeEach
    final void startEngine() throws IOException {
        TestDestination.openAndCloseAll(directory); // whatever the JDK opens once and keeps
        engine = kind.start(directory, Files.createDirectories(directory.resolve("root")), settings());
        root = HotRoot.open(engine.root());
        files = SendfiledFiles.of(engine.client(), root);
    }

    @AfterEach
    final void stopEngine() {
        try {
            unmount();
        } finally {
            root.close();
            engine.close();
        }
    }

    /** Where the files are of the disk that {@link #mountDisk} mounts. */
    final Path behind() throws IOException {
        return Files.createDirectories(directory.resolve("behind"));
    }

    /** A disk of the root's whose files are never hot; reads of "held" wait. */
    final Path mountDisk(String... options) throws IOException {
        assumeTrue(HeldDisk.unavailableBecause().isEmpty(), HeldDisk.unavailableBecause());
        mounted = HeldDisk.mount(engine.root().resolve("disk"), behind(), "held", options);
        return behind();
    }

    final HeldDisk disk() {
        return Objects.requireNonNull(mounted);
    }

    /** A disk that stays would hold the test's directory. */
    final void unmount() {
        HeldDisk disk = mounted;
        mounted = null;
        if (disk != null) {
            disk.close();
        }
    }
}
