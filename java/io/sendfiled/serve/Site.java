package io.sendfiled.serve;

import io.sendfiled.netty.SendfiledFiles;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * What all connections of a server share. Immutable, but for what it is made of.
 *
 * @param directories null: directories are not shown
 * @param disk where directories are read; rejects what is too much
 * @param log null: none
 * @param isDraining set when no connection is to take another request
 */
record Site(
        SendfiledFiles files,
        MediaTypes types,
        @Nullable String cacheControl,
        @Nullable Directories directories,
        Executor disk,
        @Nullable AnswerLog log,
        AtomicBoolean isDraining) {}
