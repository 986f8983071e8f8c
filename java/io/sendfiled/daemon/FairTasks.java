package io.sendfiled.daemon;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * The tasks that wait for one disk, in the order in which they are worked on: urgent ones (small files, first windows) before
 * the others, and among both a turn for each client, however many tasks it has. Urgent ones starve nobody: after {@value
 * #URGENT_RUN} of them in a row one of the others has its turn.
 *
 * <p>Any thread. {@link #add} never waits for a thread that is in {@link #next}: event loops call it.
 */
final class FairTasks {
    static final int URGENT_RUN = 4;

    /** What {@link #next} gives when nothing waits; a task is never 0. */
    static final long NONE = 0;

    /** What has been added and is in no lane yet. */
    private final ConcurrentLinkedQueue<Task> added = new ConcurrentLinkedQueue<>();

    private final Lane urgent = new Lane();
    private final Lane ordinary = new Lane();
    private int urgentRun;

    /** Takes a task in, behind the others of that client. */
    void add(long task, boolean isUrgent, int client) {
        added.add(new Task(task, isUrgent, client));
    }

    /** Takes out the task whose turn it is, or {@link #NONE}. */
    synchronized long next() {
        for (Task task = added.poll(); task != null; task = added.poll()) {
            (task.isUrgent ? urgent : ordinary).add(task);
        }
        if (ordinary.isEmpty()) {
            urgentRun = 0;
            return urgent.next();
        }
        if (urgent.isEmpty() || urgentRun == URGENT_RUN) {
            urgentRun = 0;
            return ordinary.next();
        }
        urgentRun++;
        return urgent.next();
    }

    private static final class Task {
        final long handle;
        final boolean isUrgent;
        final int client;

        /** Of the same client. */
        @Nullable
        Task next;

        Task(long handle, boolean isUrgent, int client) {
            this.handle = handle;
            this.isUrgent = isUrgent;
            this.client = client;
        }
    }

    /** The tasks of one client, in a ring of the clients that have some. */
    private static final class Turn {
        Task first;
        Task last;
        Turn next;

        Turn(Task task) {
            first = task;
            last = task;
            next = this;
        }
    }

    /** Tasks in turn: one of each client, then the next one of each. */
    private static final class Lane {
        private final Map<Integer, Turn> turns = new HashMap<>();

        /** The client that was served last; the one behind it is next. */
        private @Nullable Turn served;

        boolean isEmpty() {
            return served == null;
        }

        void add(Task task) {
            Turn turn = turns.get(task.client);
            if (turn != null) {
                turn.last.next = task;
                turn.last = task;
                return;
            }
            Turn added = new Turn(task);
            turns.put(task.client, added);
            if (served != null) { // behind all others
                added.next = served.next;
                served.next = added;
            }
            served = added;
        }

        long next() {
            if (served == null) {
                return NONE;
            }
            Turn turn = served.next;
            Task task = turn.first;
            if (task.next != null) {
                turn.first = task.next;
                served = turn;
            } else {
                turns.remove(task.client);
                served.next = turn.next;
                served = turn == served ? null : served;
            }
            return task.handle;
        }
    }
}
