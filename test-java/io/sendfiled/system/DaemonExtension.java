package io.sendfiled.system;

import io.sendfiled.support.RawClient;
import java.lang.annotation.Annotation;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.ClassTemplate;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterClassTemplateInvocationCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeClassTemplateInvocationCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionConfigurationException;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterInfo;
import org.junit.platform.commons.support.AnnotationSupport;
import org.junit.platform.commons.support.ModifierSupport;

/** The life of the daemon in a field with {@link Daemon}, and of the clients in those with {@link Connected}. */
final class DaemonExtension
        implements BeforeAllCallback,
                BeforeClassTemplateInvocationCallback,
                BeforeEachCallback,
                AfterTestExecutionCallback,
                AfterEachCallback,
                AfterClassTemplateInvocationCallback,
                AfterAllCallback {
    private static final ExtensionContext.Namespace NAMESPACE =
            ExtensionContext.Namespace.create(DaemonExtension.class);

    @Override
    public void beforeAll(ExtensionContext context) throws Exception {
        if (!isTemplate(context)) {
            start(context, true);
        }
    }

    @Override
    public void beforeClassTemplateInvocation(ExtensionContext context) throws Exception {
        ParameterInfo parameters = ParameterInfo.get(context);
        if (parameters != null && parameters.getArguments().get(0) instanceof TestDaemon.Kind kind) {
            context.getStore(NAMESPACE).put(TestDaemon.Kind.class, kind);
        }
        start(context, true);
    }

    @Override
    public void beforeEach(ExtensionContext context) throws Exception {
        start(context, false);
        for (Field field : fields(context, Connected.class)) {
            field.set(context.getRequiredTestInstance(), daemon(context).rawClient());
        }
    }

    @Override
    public void afterTestExecution(ExtensionContext context) throws Exception {
        for (Field field : fields(context, Connected.class)) {
            ((RawClient) field.get(context.getRequiredTestInstance())).close();
        }
        daemon(context).expectNoLeak();
    }

    @Override
    public void afterEach(ExtensionContext context) throws Exception {
        stop(context, false);
    }

    @Override
    public void afterClassTemplateInvocation(ExtensionContext context) throws Exception {
        stop(context, true);
    }

    @Override
    public void afterAll(ExtensionContext context) throws Exception {
        if (!isTemplate(context)) {
            stop(context, true);
        }
    }

    /** If the class's daemon is one for all tests, or one for each, as told. */
    private static void start(ExtensionContext context, boolean shared) throws Exception {
        Field field = field(context, Daemon.class);
        if (ModifierSupport.isStatic(field) == shared) {
            TestDaemon.Options options = TestDaemon.Options.STANDARD;
            for (String setting : field.getAnnotation(Daemon.class).value()) {
                String[] parts = setting.split("=", 2);
                options = options.with(parts[0], parts[1]);
            }
            TestDaemon.Kind kind = context.getStore(NAMESPACE)
                    .getOrDefault(TestDaemon.Kind.class, TestDaemon.Kind.class, TestDaemon.Kind.FORKED);
            if (kind == TestDaemon.Kind.FORKED
                    && !field.getAnnotation(Daemon.class).ownsFiles()) {
                options = options.asOtherUser();
            }
            Object instance = context.getTestInstance().orElse(null);
            Path directory = (Path) field(context, TempDir.class).get(instance);
            field.set(instance, TestDaemon.start(kind, directory, options));
        }
    }

    private static void stop(ExtensionContext context, boolean shared) throws Exception {
        Field field = field(context, Daemon.class);
        if (ModifierSupport.isStatic(field) == shared) {
            Object instance = context.getTestInstance().orElse(null);
            TestDaemon daemon = (TestDaemon) field.get(instance);
            if (daemon != null) { // it has started
                field.set(instance, null);
                daemon.close();
            }
        }
    }

    private static TestDaemon daemon(ExtensionContext context) throws IllegalAccessException {
        return (TestDaemon) field(context, Daemon.class).get(context.getRequiredTestInstance());
    }

    private static boolean isTemplate(ExtensionContext context) {
        return AnnotationSupport.isAnnotated(context.getRequiredTestClass(), ClassTemplate.class);
    }

    private static Field field(ExtensionContext context, Class<? extends Annotation> annotation) {
        List<Field> fields = fields(context, annotation);
        if (fields.size() != 1) {
            throw new ExtensionConfigurationException(context.getDisplayName() + " has " + fields.size()
                    + " fields with " + annotation.getSimpleName() + " and not one");
        }
        return fields.get(0);
    }

    private static List<Field> fields(ExtensionContext context, Class<? extends Annotation> annotation) {
        List<Field> fields = AnnotationSupport.findAnnotatedFields(context.getRequiredTestClass(), annotation);
        fields.forEach(field -> field.setAccessible(true));
        return fields;
    }
}
