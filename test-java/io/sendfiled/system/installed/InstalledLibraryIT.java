package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.support.Content;
import io.sendfiled.system.Installed;
import io.sendfiled.system.Program;
import io.sendfiled.system.TestDaemon;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Programs of the library's users: compiled with nothing but the installed tree and what pkg-config says of it, linked with
 * both forms of the library, and run against a daemon.
 */
@Timeout(120)
final class InstalledLibraryIT {
    private static final int SIZE = 4_000;

    /** The list at the end of the protocol's description: the C API of the original sendfiled. */
    private static final List<String> ORIGINAL = List.of(
            "enum sfd_cmd_id",
            "enum sfd_op_stat",
            "sfd_spawn(",
            "sfd_connect(",
            "sfd_shutdown(",
            "sfd_read(",
            "sfd_send(",
            "sfd_open(",
            "sfd_send_open(",
            "sfd_cancel(",
            "sfd_get_cmd(",
            "sfd_get_stat(",
            "sfd_unmarshal_file_info(",
            "sfd_unmarshal_xfer_stat(",
            "sfd_xfer_complete(",
            "info->cmd",
            "info->stat",
            "info.size",
            "info->atime",
            "info->mtime",
            "info->ctime",
            "info.txnid",
            "stat.cmd",
            "stat.stat",
            "stat.size",
            "SFD_FILE_INFO",
            "SFD_XFER_STAT",
            "SFD_STAT_OK",
            "SFD_HDR_SIZE",
            "SFD_MAX_RESP_SIZE");

    @TempDir
    private Path directory;

    @ParameterizedTest
    @EnumSource(Installed.Linkage.class)
    void shouldServeAProgramInC(Installed.Linkage linkage) throws Exception {
        expectToWork(Installed.build(directory, Installed.C99, "test-native/installed/program.c", linkage));
    }

    /** A C++ program that is wholly static would be about the C++ library. */
    @ParameterizedTest
    @EnumSource(
            value = Installed.Linkage.class,
            names = {"SHARED", "ARCHIVE"})
    void shouldServeAProgramInCpp(Installed.Linkage linkage) throws Exception {
        expectToWork(Installed.build(directory, Installed.CXX11, "test-native/installed/program.cc", linkage));
    }

    @ParameterizedTest
    @EnumSource(Installed.Linkage.class)
    void shouldServeAProgramOfTheOriginal(Installed.Linkage linkage) throws Exception {
        Path root = Files.createDirectory(directory.resolve("root"));
        Content.write(root.resolve("file"), 20_000);
        Path program = Installed.build(directory, Installed.C99, "test-native/support/original_client.c", linkage);

        Map<String, String> environment = new TreeMap<>();
        environment.put("PATH", Installed.TREE.resolve("bin").toString());
        if (Program.ROOT) {
            environment.put("SENDFILED_ALLOW_ROOT", "1");
        }
        List<String> command = List.of(program.toString(), root.toString(), directory.toString(), "/file");

        try (Program original = Program.start(directory, command, environment)) {
            String output = original.output();
            assertEquals(0, original.awaitExit(), output + original.errors());
            assertTrue(output.contains("shutdown: ok"), output);
            assertFalse(output.contains("FAILED"), output);
        }
    }

    @Test
    void shouldTryAllOfTheOriginalsApi() throws IOException {
        String program = Files.readString(Installed.source("test-native/support/original_client.c"));

        assertEquals(
                List.of(),
                ORIGINAL.stream().filter(name -> !program.contains(name)).toList());
        assertEquals(
                List.of("#include <sendfiled.h>"),
                program.lines()
                        .filter(line -> line.matches("#include .*(sendfiled|sfd|resp).*"))
                        .toList());
    }

    @Test
    void shouldSayWhereItIsInstalled() throws Exception {
        assertEquals(
                Installed.TREE.toRealPath(),
                Path.of(Installed.flags("--variable=prefix").get(0)).toRealPath());
        // Whatever a program is linked with, it needs nothing that it would not have anyway.
        assertEquals(Installed.flags("--libs"), Installed.flags("--libs", "--static"));
    }

    private void expectToWork(Path program) throws Exception {
        try (TestDaemon daemon = TestDaemon.start(TestDaemon.Kind.FORKED, directory, TestDaemon.Options.STANDARD)) {
            Content.write(daemon.root().resolve("file"), SIZE);
            assertEquals(
                    SIZE + "\n",
                    Installed.output(
                            program.toString(),
                            directory.toString(),
                            TestDaemon.NAME,
                            "file",
                            daemon.root().toString()));
            daemon.expectNoLeak();
        }
    }
}
