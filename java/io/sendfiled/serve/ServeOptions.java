package io.sendfiled.serve;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What a server serves, and how.
 *
 * @param root the directory; nothing outside of it is served
 * @param host the name or the address to listen at
 * @param port from 0, which is any free one, to 65535
 * @param list whether a directory without {@code index.html} is shown
 * @param cacheControl the value of Cache-Control of files; null: they have none
 * @param certificate a PEM file with the chain; null: HTTP without TLS
 * @param key a PEM file with its key, in PKCS #8 and without a password; null: as {@code certificate}
 * @param accessLog a file that each answer is appended to; null: none
 * @param loops event loops, from 1
 * @param openFiles the most files that are kept open for the next request; 0: none
 * @param openFilesAge how long what a path leads to may be told without a look, from 0
 */
public record ServeOptions(
        Path root,
        String host,
        int port,
        boolean list,
        @Nullable String cacheControl,
        @Nullable Path certificate,
        @Nullable Path key,
        @Nullable Path accessLog,
        int loops,
        int openFiles,
        Duration openFilesAge,
        ServeLimits limits) {}
