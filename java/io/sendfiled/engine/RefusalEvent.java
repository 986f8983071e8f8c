package io.sendfiled.engine;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** An event of a recording: a request was refused. */
@Name("io.sendfiled.Refusal")
@Label("Refusal")
@Category("sendfiled")
@Description("A request was answered with an error before a byte was due, or not at all")
@StackTrace(false)
final class RefusalEvent extends Event {
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

    @Label("Errno")
    @Nullable
    String errno;

    @Label("Reason")
    @Nullable
    String reason;

    @Label("Loop")
    int loop;
}
