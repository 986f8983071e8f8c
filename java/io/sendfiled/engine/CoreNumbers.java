package io.sendfiled.engine;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.counters.Counter;
import io.sendfiled.counters.CountersReading;
import io.sendfiled.counters.Latency;
import io.sendfiled.counters.Outcome;
import io.sendfiled.counters.RequestKind;
import io.sendfiled.counters.WaitsFor;
import io.sendfiled.jni.CountersLayout;
import io.sendfiled.jni.NativeConstants;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.technique.DestinationType;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The numbers that an engine is started with, in the order of the core, and whether the core counts settings, counters
 * and types of destinations as these classes do.
 *
 * <p>Stateless, any thread.
 */
final class CoreNumbers {
    private CoreNumbers() {}

    /** The settings of the core, for {@link io.sendfiled.jni.EngineNative#create}. */
    static long[] of(SendfiledConfig config) {
        return Setting.core().stream()
                .mapToLong(setting ->
                        config.get(setting) instanceof Boolean flag ? (flag ? 1 : 0) : (Long) config.get(setting))
                .toArray();
    }

    /**
     * Returns when the library and the classes agree.
     *
     * @throws UnsatisfiedLinkError naming what differs, or when there is no library for this machine
     */
    static void check() {
        NativeLibrary.ensureAvailable();
        Map<String, Integer> settings = new HashMap<>();
        for (Setting setting : Setting.core()) {
            settings.put(setting.key(), settings.size());
        }
        NativeConstants.check("setting", settings);
        Map<String, Integer> kinds = new HashMap<>();
        for (DestinationType type : DestinationType.values()) {
            kinds.put(type.name().toLowerCase(Locale.ROOT), type.code());
        }
        NativeConstants.check("kind", kinds);
        NativeConstants.check("counter", Map.of("count", Counter.values().length));
        NativeConstants.check(
                "counted",
                Map.of(
                        "version", CountersReading.VERSION,
                        "kinds", RequestKind.values().length,
                        "outcomes", Outcome.values().length,
                        "waits", WaitsFor.values().length,
                        "latencies", Latency.values().length));
        CountersLayout.check();
    }
}
