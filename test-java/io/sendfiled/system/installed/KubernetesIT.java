package io.sendfiled.system.installed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.sendfiled.system.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The manifests for Kubernetes: what an API server would say of them, and what they say of each other. */
final class KubernetesIT {
    @TempDir
    private Path scratch;

    /** By the API's own description: a field that it does not know, or that is missing, is an exception. */
    @Test
    void shouldHaveNoFieldThatTheApiDoesNotKnow() throws Exception {
        for (JsonObject object : Manifests.all()) {
            Class.forName("io.kubernetes.client.openapi.models.V1"
                            + object.get("kind").getAsString())
                    .getMethod("validateJsonElement", JsonElement.class)
                    .invoke(null, object);
        }
    }

    @Test
    void shouldConfigureTheDaemonWithoutAFault() throws Exception {
        Path file = Files.writeString(scratch.resolve("default.conf"), config());
        String root = "--root=" + scratch; // not this machine's /srv
        String[] arguments = Program.ROOT
                ? new String[] {"--check-config", "--config", file.toString(), root}
                : new String[] {"--check-config", "--config", file.toString(), root, "--user="};
        try (Program check = Program.start(scratch, arguments)) {
            String output = check.output();
            assertEquals(0, check.awaitExit(), output + check.errors());
        }
    }

    @Test
    void shouldServeTheGroupOfTheExample() throws Exception {
        JsonObject security = Manifests.container(Manifests.of("Pod")).getAsJsonObject("securityContext");
        assertEquals(
                parsed().getString("allow-groups"), security.get("runAsGroup").getAsString());
    }

    @Test
    void shouldShareOneDirectoryOfTheNode() throws Exception {
        for (String kind : new String[] {"DaemonSet", "Pod"}) {
            JsonObject object = Manifests.of(kind);
            JsonObject mount = Manifests.container(object)
                    .getAsJsonArray("volumeMounts")
                    .get(0)
                    .getAsJsonObject();
            JsonObject volume =
                    Manifests.podSpec(object).getAsJsonArray("volumes").get(0).getAsJsonObject();
            assertEquals("/run/sendfiled", mount.get("mountPath").getAsString(), kind);
            assertEquals(volume.get("name"), mount.get("name"), kind);
            assertEquals(
                    "/run/sendfiled",
                    volume.getAsJsonObject("hostPath").get("path").getAsString(),
                    kind);
        }
    }

    @Test
    void shouldLetTransfersEndBeforeThePodIsKilled() throws Exception {
        long grace = Manifests.podSpec(Manifests.of("DaemonSet"))
                .get("terminationGracePeriodSeconds")
                .getAsLong();
        assertTrue(parsed().getDuration("stop-timeout", TimeUnit.SECONDS) + 5 <= grace, "with the end of the engine");
    }

    private static String config() throws Exception {
        return Manifests.of("ConfigMap")
                .getAsJsonObject("data")
                .get("default.conf")
                .getAsString();
    }

    private static Config parsed() throws Exception {
        return ConfigFactory.parseString(config());
    }
}
