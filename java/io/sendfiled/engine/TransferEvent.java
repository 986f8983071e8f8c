package io.sendfiled.engine;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;
import org.jspecify.annotations.Nullable;

/** An event of a recording: a transfer has ended. */
@Name("io.sendfiled.Transfer")
@Label("Transfer")
@Category("sendfiled")
@Description("A transfer has ended, at most some milliseconds before this event")
@StackTrace(false)
final class TransferEvent extends Event {
    @Label("Id")
    @Description("As sfd and the access log name it")
    @Nullable
    String id;

    @Label("Operation")
    @Nullable
    String operation;

    @Label("Path")
    @Description("As it was asked for; of a long one its end")
    @Nullable
    String path;

    @Label("Process")
    @Description("Of the client; 0 in another pid namespace")
    int pid;

    @Label("User")
    @Description("Of the client")
    long uid;

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

    @Label("Loop")
    int loop;
}
