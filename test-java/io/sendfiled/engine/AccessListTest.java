package io.sendfiled.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sendfiled.config.InvalidSettingException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** R9: the allow lists as numbers, and the mode of the socket that follows from them. */
final class AccessListTest {
    private static final int OTHER = 60_009;

    @Test
    void shouldAllowUsersAndGroupsByNumber() {
        AccessList list = AccessList.resolve(List.of("60001", "4294967294", "60001"), List.of("60010"));
        assertTrue(list.allows(60_001, OTHER));
        assertTrue(list.allows(-2, OTHER), "the highest number");
        assertTrue(list.allows(OTHER, 60_010), "a process that runs with the group");
        assertFalse(list.allows(60_010, OTHER), "a group is no user");
        assertFalse(list.allows(OTHER, 60_001));
    }

    @Test
    void shouldOpenTheSocketNoFurtherThanNecessary() {
        assertEquals(0600, AccessList.NONE.socketMode());
        assertEquals(0600, AccessList.resolve(List.of(), List.of()).socketMode());
        AccessList group = AccessList.resolve(List.of(), List.of("60010", "60010"));
        assertEquals(0660, group.socketMode());
        assertEquals(60_010, group.socketGroup());
        for (AccessList more : List.of(
                AccessList.resolve(List.of("60001"), List.of()),
                AccessList.resolve(List.of("60001"), List.of("60010")),
                AccessList.resolve(List.of(), List.of("60010", "60011")))) {
            assertEquals(0666, more.socketMode());
            assertEquals(-1, more.socketGroup());
        }
    }

    @Test
    void shouldRenewWhatTheSocketLetsConnect() {
        AccessList first = AccessList.resolve(List.of("60001", "60002"), List.of());
        AccessList second = first.renew(List.of("60002"), List.of("60010"));
        assertFalse(second.allows(60_001, OTHER));
        assertTrue(second.allows(60_002, OTHER));
        assertTrue(second.allows(OTHER, 60_010));

        AccessList nobody = second.renew(List.of(), List.of());
        assertFalse(nobody.allows(60_002, 60_010));
        assertTrue(nobody.renew(List.of("60001"), List.of()).allows(60_001, OTHER), "the socket is what it was");
    }

    @Test
    void shouldRefuseToRenewWhomTheSocketKeepsOut() {
        AccessList group = AccessList.resolve(List.of(), List.of("60010"));
        assertTrue(group.renew(List.of(), List.of("60010")).allows(OTHER, 60_010));
        assertFalse(group.renew(List.of(), List.of()).allows(OTHER, 60_010));
        for (AccessList list : List.of(group, AccessList.NONE)) {
            InvalidSettingException refusal =
                    assertThrows(InvalidSettingException.class, () -> list.renew(List.of("60001"), List.of()));
            assertTrue(String.valueOf(refusal.getMessage()).contains("only after another start"), refusal.getMessage());
        }
        assertThrows(InvalidSettingException.class, () -> group.renew(List.of(), List.of("60011")));
    }
}
