"""What a trace is made of, and the limits of the lanes. Both variants and the workload use it.

The clock is virtual and counts microseconds. Tasks are numbered in the order in which they are scheduled, over
the whole life of a scheduler. A trace is a list of steps, each `[kind, first, second]`:

- `[READY, 0, 0]`: schedule a task for the ready lane;
- `[TIMED, delay, 0]`: schedule a task for the timed lane, due `delay` microseconds from now (0 or less: at once);
- `[CANCEL, task, 0]`: cancel a task. If it waits in a lane, it leaves it and its finalizer enters the cancel lane;
  if it was dispatched or cancelled before, or never scheduled, nothing happens and the task is reported as missed;
- `[TICK, elapsed, slots]`: the clock moves on by `elapsed`, 0 or more, then at most `slots` tasks are dispatched.

A lane is *runnable* if a task waits in it; the timed lane, if a task is due. Each slot of a tick goes to the first
lane of this list that is runnable:

1. of the lanes that starve, cancel, then timed, then ready;
2. cancel, then timed, then ready.

A lane *starves* if it was runnable at the end of `STARVATION_TICKS[lane]` ticks in a row without having been served
in any of them, and has not been served since. After `STREAK_LIMIT` slots in a row for the cancel lane, it is left
out as long as another lane is runnable. Within a lane, timed tasks come by deadline, then by number (EDF); all
others first in, first out.
"""

READY, TIMED, CANCEL, TICK = range(4)

CANCEL_LANE, TIMED_LANE, READY_LANE = range(3)

STREAK_LIMIT = 16
"""Slots that the cancel lane may take in a row while another lane is runnable."""

STARVATION_TICKS = (1, 3, 5)
"""By lane: cancel, timed, ready."""

Step = list[int]
Outcome = dict[str, list[int] | list[list[int]]]
"""`ran`: a list for each tick, tasks in the order of dispatch, the finalizer of task n as -1 - n; `missed`: tasks
whose cancellation came too late; `pending`: tasks that wait in the cancel, timed and ready lane."""
