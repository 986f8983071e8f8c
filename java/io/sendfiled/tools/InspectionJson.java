package io.sendfiled.tools;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.sendfiled.counters.Counter;
import io.sendfiled.counters.CountersReading;
import io.sendfiled.counters.DiskQueue;
import io.sendfiled.counters.Latency;
import io.sendfiled.counters.LatencyHistogram;
import io.sendfiled.counters.Outcome;
import io.sendfiled.counters.RequestKind;
import io.sendfiled.counters.RunningTransfer;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.technique.Technique;
import java.util.List;
import java.util.Locale;

/** What {@code sfd counters} and {@code sfd top} tell, as JSON. Times are in nanoseconds. */
final class InspectionJson {
    private InspectionJson() {}

    static String counters(List<Inspection> inspections) {
        JsonArray instances = new JsonArray();
        for (Inspection inspection : inspections) {
            JsonObject instance = head(inspection);
            CountersReading reading = inspection.reading();
            JsonObject counters = new JsonObject();
            for (Counter counter : Counter.values()) {
                counters.addProperty(word(counter), reading.get(counter));
            }
            instance.add("counters", counters);
            JsonObject requests = new JsonObject();
            for (RequestKind kind : RequestKind.values()) {
                requests.add(kind.label(), kind(reading, kind));
            }
            instance.add("requests", requests);
            JsonObject latencies = new JsonObject();
            for (Latency latency : Latency.values()) {
                latencies.add(latency.label(), latency(reading.latency(latency)));
            }
            instance.add("latencies", latencies);
            JsonArray queues = new JsonArray();
            for (DiskQueue queue : reading.queues()) {
                JsonObject object = new JsonObject();
                object.addProperty("name", queue.name());
                object.addProperty("waiting", queue.waiting());
                object.addProperty("busy", queue.busy());
                object.addProperty("done", queue.done());
                queues.add(object);
            }
            instance.add("queues", queues);
            instances.add(instance);
        }
        return whole(Command.COUNTERS, instances);
    }

    static String transfers(List<Inspection> inspections) {
        JsonArray instances = new JsonArray();
        for (Inspection inspection : inspections) {
            JsonObject instance = head(inspection);
            JsonArray transfers = new JsonArray();
            for (RunningTransfer transfer : inspection.reading().transfers()) {
                transfers.add(transfer(transfer));
            }
            instance.add("transfers", transfers);
            instances.add(instance);
        }
        return whole(Command.TOP, instances);
    }

    private static String whole(Command command, JsonArray instances) {
        JsonObject object = new JsonObject();
        object.addProperty("command", command.word());
        object.add("instances", instances);
        return Names.escaped(object.toString());
    }

    private static JsonObject head(Inspection inspection) {
        CountersReading reading = inspection.reading();
        JsonObject object = new JsonObject();
        object.addProperty("name", reading.name());
        object.addProperty("pid", reading.pid());
        object.addProperty("state", inspection.writer().name().toLowerCase(Locale.ROOT));
        object.addProperty("startedAt", reading.startedAt().toString());
        object.addProperty("lastTurnAt", reading.lastTurnAt().toString());
        return object;
    }

    private static String word(Counter counter) {
        return counter.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private static JsonObject kind(CountersReading reading, RequestKind kind) {
        JsonObject object = new JsonObject();
        object.addProperty("received", reading.requests(kind));
        for (Outcome outcome : Outcome.values()) {
            object.addProperty(outcome.label(), reading.outcomes(kind, outcome));
        }
        JsonObject refusals = new JsonObject();
        JsonObject failures = new JsonObject();
        for (int errno = 0; errno < reading.errnos(); errno++) {
            String name = errno == 0 ? "other" : Errno.name(errno);
            if (reading.refusals(kind, errno) != 0) {
                refusals.addProperty(name, reading.refusals(kind, errno));
            }
            if (reading.failures(kind, errno) != 0) {
                failures.addProperty(name, reading.failures(kind, errno));
            }
        }
        object.add("refusals", refusals);
        object.add("failures", failures);
        JsonObject techniques = new JsonObject();
        for (Technique technique : Technique.values()) {
            if (reading.transfers(kind, technique) != 0 || reading.bytes(kind, technique) != 0) {
                JsonObject flow = new JsonObject();
                flow.addProperty("transfers", reading.transfers(kind, technique));
                flow.addProperty("bytes", reading.bytes(kind, technique));
                flow.addProperty("coldWindows", reading.coldWindows(kind, technique));
                techniques.add(technique == Technique.AUTO ? "none" : technique.label(), flow);
            }
        }
        object.add("techniques", techniques);
        return object;
    }

    private static JsonObject latency(LatencyHistogram latency) {
        JsonObject object = new JsonObject();
        object.addProperty("count", latency.count());
        object.addProperty("sum", latency.sumNs());
        object.addProperty("p50", latency.atShare(0.5));
        object.addProperty("p90", latency.atShare(0.9));
        object.addProperty("p99", latency.atShare(0.99));
        object.addProperty("p999", latency.atShare(0.999));
        object.addProperty("max", latency.maxNs());
        return object;
    }

    private static JsonObject transfer(RunningTransfer transfer) {
        JsonObject object = new JsonObject();
        object.addProperty("id", transfer.name());
        object.addProperty("pid", transfer.pid());
        object.addProperty("uid", Integer.toUnsignedLong(transfer.uid()));
        object.addProperty("kind", transfer.kind().label());
        object.addProperty(
                "technique",
                transfer.technique() == Technique.AUTO
                        ? "none"
                        : transfer.technique().label());
        object.addProperty("path", transfer.path());
        object.addProperty("pathCut", transfer.pathCut());
        if (transfer.size() >= 0) {
            object.addProperty("size", transfer.size());
        }
        object.addProperty("moved", transfer.moved());
        object.addProperty("age", transfer.ageNs());
        if (transfer.firstByteNs() >= 0) {
            object.addProperty("firstByte", transfer.firstByteNs());
        }
        object.addProperty("cold", transfer.cold());
        object.addProperty("waitsFor", transfer.waitsFor().label());
        object.addProperty("ended", transfer.ended());
        return object;
    }
}
