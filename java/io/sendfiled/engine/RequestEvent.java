package io.sendfiled.engine;

import io.sendfiled.jni.Records;
import io.sendfiled.names.Names;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** What events about one request have in common. */
@Category("sendfiled")
@StackTrace(false)
abstract class RequestEvent extends Event {
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

    @Label("Loop")
    int loop;

    /** Fills in the above, and commits it. */
    final void commit(Records record) {
        operation = RecordWords.operation(record);
        path = Names.printable(Names.text(record.path()));
        pid = record.pid();
        uid = Integer.toUnsignedLong(record.uid());
        loop = record.loop();
        commit();
    }
}
