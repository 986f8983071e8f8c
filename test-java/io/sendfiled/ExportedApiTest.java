package io.sendfiled;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.GenericDeclaration;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the module exports is complete: a public signature names nothing of ours that its user could not import. */
final class ExportedApiTest {
    /** Public for the layers above, hidden from users. */
    private static final Set<String> INTERNAL = Set.of(
            "io.sendfiled.base",
            "io.sendfiled.control",
            "io.sendfiled.daemon",
            "io.sendfiled.engine",
            "io.sendfiled.jni",
            "io.sendfiled.metrics",
            "io.sendfiled.names",
            "io.sendfiled.protocol",
            "io.sendfiled.serve",
            "io.sendfiled.tools",
            "io.sendfiled.transport",
            "io.sendfiled.units");

    @Test
    void shouldNameOnlyPublicTypesOfExportedPackagesInPublicSignatures() throws Exception {
        Set<String> exported = exported();
        Set<String> faults = new TreeSet<>();
        for (Class<?> type : classes()) {
            if (exported.contains(type.getPackageName()) && isVisible(type)) {
                for (Class<?> named : namedBy(type)) {
                    boolean ours = named.getName().startsWith("io.sendfiled.");
                    if (ours && !(exported.contains(named.getPackageName()) && isVisible(named))) {
                        faults.add(type.getName() + " names " + named.getName());
                    }
                }
            }
        }
        assertEquals(Set.of(), faults);
    }

    @Test
    void shouldExportEveryPackageThatIsNotInternal() throws Exception {
        Set<String> packages =
                classes().stream().map(Class::getPackageName).collect(Collectors.toCollection(TreeSet::new));
        packages.removeAll(INTERNAL);
        assertEquals(packages, exported());
    }

    /** The types in the signatures that a user of a class sees: its own, and those of its public and protected members. */
    private static Set<Class<?>> namedBy(Class<?> type) {
        List<Type> types = new ArrayList<>(Arrays.asList(type.getGenericInterfaces()));
        if (type.getGenericSuperclass() != null) {
            types.add(type.getGenericSuperclass());
        }
        types.addAll(bounds(type));
        for (Field field : type.getDeclaredFields()) {
            if (isVisible(field)) {
                types.add(field.getGenericType());
            }
        }
        for (Method method : type.getDeclaredMethods()) {
            if (isVisible(method)) {
                types.add(method.getGenericReturnType());
                types.addAll(parts(method));
            }
        }
        for (Constructor<?> constructor : type.getDeclaredConstructors()) {
            if (isVisible(constructor)) {
                types.addAll(parts(constructor));
            }
        }
        Set<Class<?>> classes = new LinkedHashSet<>();
        types.forEach(named -> addClasses(named, classes));
        return classes;
    }

    private static List<Type> parts(Executable executable) {
        List<Type> types = new ArrayList<>(Arrays.asList(executable.getGenericParameterTypes()));
        types.addAll(Arrays.asList(executable.getGenericExceptionTypes()));
        types.addAll(bounds(executable));
        return types;
    }

    private static List<Type> bounds(GenericDeclaration declaration) {
        return Arrays.stream(declaration.getTypeParameters())
                .flatMap(variable -> Arrays.stream(variable.getBounds()))
                .toList();
    }

    /** The classes in a type; a variable is looked at where it is declared. */
    private static void addClasses(Type type, Set<Class<?>> into) {
        if (type instanceof Class<?> named) {
            into.add(named.isArray() ? elementOf(named) : named);
        } else if (type instanceof GenericArrayType array) {
            addClasses(array.getGenericComponentType(), into);
        } else if (type instanceof ParameterizedType generic) {
            addClasses(generic.getRawType(), into);
            Arrays.asList(generic.getActualTypeArguments()).forEach(argument -> addClasses(argument, into));
        } else if (type instanceof WildcardType wildcard) {
            Arrays.asList(wildcard.getUpperBounds()).forEach(bound -> addClasses(bound, into));
            Arrays.asList(wildcard.getLowerBounds()).forEach(bound -> addClasses(bound, into));
        } else if (!(type instanceof TypeVariable)) {
            throw new IllegalStateException("what is " + type + "?");
        }
    }

    private static Class<?> elementOf(Class<?> array) {
        Class<?> element = array;
        while (element.isArray()) {
            element = element.getComponentType();
        }
        return element;
    }

    private static boolean isVisible(Member member) {
        return !member.isSynthetic() && isVisible(member.getModifiers());
    }

    /** Whether a class and all that it is nested in can be named. */
    private static boolean isVisible(Class<?> type) {
        Class<?> outer = type.getDeclaringClass();
        return isVisible(type.getModifiers())
                && !type.isAnonymousClass()
                && !type.isLocalClass()
                && (outer == null || isVisible(outer));
    }

    private static boolean isVisible(int modifiers) {
        return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
    }

    private static Set<String> exported() throws IOException, URISyntaxException {
        try (InputStream in = Files.newInputStream(root().resolve("module-info.class"))) {
            return ModuleDescriptor.read(in).exports().stream()
                    .map(ModuleDescriptor.Exports::source)
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static Collection<Class<?>> classes() throws IOException, URISyntaxException {
        Path root = root();
        try (Stream<Path> files = Files.walk(root.resolve("io/sendfiled"))) {
            List<Class<?>> classes = files.map(file -> root.relativize(file).toString())
                    .filter(file -> file.endsWith(".class") && !file.endsWith("package-info.class"))
                    .<Class<?>>map(file -> load(file.substring(0, file.length() - ".class".length())))
                    .toList();
            assertFalse(classes.isEmpty());
            return classes;
        }
    }

    private static Class<?> load(String file) {
        try {
            return Class.forName(file.replace('/', '.'), false, ExportedApiTest.class.getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Path root() throws URISyntaxException {
        URI location = Sendfiled.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI();
        return Path.of(location);
    }
}
