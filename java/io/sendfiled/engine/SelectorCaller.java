package io.sendfiled.engine;

import io.sendfiled.base.SystemLog;
import io.sendfiled.jni.Turn;
import io.sendfiled.technique.DestinationType;
import io.sendfiled.technique.Technique;
import io.sendfiled.technique.TechniqueSelector;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Calls the technique selector for every selection of a turn, and writes its answers back.
 *
 * <p>One for all loops of an engine; any of their threads. The selector is the user's code: if it fails, the rules of
 * the engine decide.
 */
final class SelectorCaller {
    /** The code of no technique: the engine counts it and uses its rules. */
    private static final int UNFIT = -1;

    private final TechniqueSelector selector;
    private final AtomicBoolean complained = new AtomicBoolean();

    SelectorCaller(TechniqueSelector selector) {
        this.selector = selector;
    }

    /** Gives every selection of the turn its verdict. */
    void decide(Turn turn) {
        int count = turn.selections();
        for (int i = 0; i < count; i++) {
            turn.select(i, verdict(turn, i));
        }
    }

    private int verdict(Turn turn, int selection) {
        DestinationType type = DestinationType.of(turn.selectionType(selection));
        if (type == null) {
            return Technique.AUTO.code();
        }
        Technique technique;
        try {
            technique = selector.choose(turn.selectionSize(selection), type, turn.selectionIsBlocking(selection));
        } catch (Throwable t) { // an Error of the user's code must not end a loop either
            complain("the technique selector failed; the rules decide", t);
            return UNFIT;
        }
        if (technique == Technique.AUTO) {
            return technique.code();
        }
        if (technique == null || !technique.isIn(turn.selectionFits(selection))) {
            complain(
                    "the technique selector chose " + technique + ", which does not fit " + type + "; the rules decide",
                    null);
            return UNFIT;
        }
        return technique.code();
    }

    private void complain(String message, @Nullable Throwable cause) {
        if (!complained.getAndSet(true)) {
            SystemLog.log("io.sendfiled.daemon", System.Logger.Level.WARNING, message, cause);
        }
    }
}
