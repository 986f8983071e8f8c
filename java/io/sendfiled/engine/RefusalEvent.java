package io.sendfiled.engine;

import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;
import org.jspecify.annotations.Nullable;

/** An event of a recording: a request was refused. */
@Name("io.sendfiled.Refusal")
@Label("Refusal")
@Description("A request was answered with an error before a byte was due, or not at all")
final class RefusalEvent extends RequestEvent {
    @Label("Errno")
    @Nullable
    String errno;

    @Label("Reason")
    @Nullable
    String reason;
}
