package io.sendfiled.serve;

import io.netty.util.concurrent.FastThreadLocal;
import io.sendfiled.netty.SendfiledFiles;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * What all connections of a server share. Immutable, but for what it is made of.
 *
 * @param heads an event loop's own
 * @param openFilesAgeNs how long what was found on the disk may be told without a look at it
 * @param root told of what was not found
 * @param directories null: directories are not shown
 * @param disk where directories are read; rejects what is too much
 * @param log null: none
 * @param connections that are served
 * @param refusals connections that are told that they are too many
 * @param memory bytes of what is held for clients: requests whose answers are not sent, and pages; with a reserve for requests that
 *     wait for no other of their connection
 * @param isDraining set when no connection is to take another request
 */
record Site(
        SendfiledFiles files,
        FastThreadLocal<FileHeads> heads,
        long openFilesAgeNs,
        RootWatch root,
        @Nullable Directories directories,
        Executor disk,
        @Nullable AnswerLog log,
        ServeLimits limits,
        Budget connections,
        Budget refusals,
        Budget memory,
        AtomicBoolean isDraining) {}
