package io.sendfiled.engine;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/** An event of a recording: a thread was held. */
@Name("io.sendfiled.Stall")
@Label("Stall")
@Category("sendfiled")
@Description("One system call held the thread of an event loop, which goes on with another thread")
@StackTrace(false)
final class StallEvent extends Event {
    @Label("Loop")
    int loop;

    @Label("Process")
    @Description("Of the client for which the call is; 0: of none, or in another pid namespace")
    int pid;

    @Label("User")
    @Description("Of that client")
    long uid;

    @Label("Held")
    @Description("Until the loop was taken away; the call may last longer")
    @Timespan(Timespan.NANOSECONDS)
    long held;
}
