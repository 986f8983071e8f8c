package io.sendfiled.engine;

import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.Timespan;
import org.jspecify.annotations.Nullable;

/** An event of a recording: a transfer has ended. */
@Name("io.sendfiled.Transfer")
@Label("Transfer")
@Description("A transfer has ended, at most some milliseconds before this event")
final class TransferEvent extends RequestEvent {
    @Label("Id")
    @Description("As sfd and the access log name it")
    @Nullable
    String id;

    @Label("Bytes")
    @Description("Accepted by the destination")
    @DataAmount
    long bytes;

    @Label("Size")
    @Description("Bytes that it was to move; -1: its file was not opened")
    @DataAmount
    long size;

    @Label("Status")
    @Description("ok, or the name of an errno")
    @Nullable
    String status;

    @Label("Cold")
    @Description("A disk was waited for")
    boolean cold;

    @Label("First Byte")
    @Description("From the request to the first byte; -1: there was none")
    @Timespan(Timespan.NANOSECONDS)
    long firstByte;

    @Label("Total")
    @Description("From the request to the end; -1: unknown")
    @Timespan(Timespan.NANOSECONDS)
    long total;

    @Label("Technique")
    @Nullable
    String technique;
}
