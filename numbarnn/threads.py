"""Our own threads: a pool of workers that run compiled calls, in which the caller takes part.

The calls release the GIL. Any number of Python threads may use the pool at once; a process that was
forked makes workers of its own; a call from inside a worker runs where it is.
"""

import contextlib
import ctypes
import itertools
import os
import queue
import threading
from contextvars import ContextVar
from functools import partial

from .errors import ArgumentError

_chosen: ContextVar[int | None] = ContextVar("numbarnn_threads", default=None)
_process_wide = None


def _from_quota():
    """Cores that the control group grants, rounded up; None if it does not say."""
    for path in ("/sys/fs/cgroup/cpu.max",):
        try:
            with open(path) as file:
                quota, period = file.read().split()
        except (OSError, ValueError):
            continue
        if quota != "max":
            return max(1, -(-int(quota) // int(period)))
    try:
        with open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as file:
            quota = int(file.read())
        with open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as file:
            period = int(file.read())
    except (OSError, ValueError):
        return None
    return max(1, -(-quota // period)) if quota > 0 else None


def default_threads():
    """Threads for this process: `NUMBARNN_NUM_THREADS`, else the cores that it may run on."""
    text = os.environ.get("NUMBARNN_NUM_THREADS", "").strip()
    if text:
        try:
            found = int(text)
        except ValueError:
            found = 0
        if found < 1:
            raise ArgumentError(
                f"`NUMBARNN_NUM_THREADS` must be a whole number of at least 1; got {text!r}."
            )
        return found
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _from_quota()
    return cores if quota is None else min(cores, quota)


def get_num_threads() -> int:
    """How many threads a call may use.

    Returns
    -------
    int
        What `set_num_threads` said; else the environment variable ``NUMBARNN_NUM_THREADS``; else
        the cores that the process may run on, by affinity and by the quota of its control group.
    """
    global _process_wide
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    if _process_wide is None:
        _process_wide = default_threads()
    return _process_wide


class _Setting:
    """What `set_num_threads` gives: as a context manager it puts back what was before."""

    def __init__(self, before):
        self._before = before

    def __enter__(self):
        return self

    def __exit__(self, *error):
        _chosen.set(self._before)


def set_num_threads(threads: int) -> _Setting:
    """Say how many threads a call may use, from here on and in tasks that begin here.

    Parameters
    ----------
    threads : int or None
        At least 1; None goes back to the default.

    Returns
    -------
    context manager
        ``with nr.set_num_threads(1): ...`` puts back what was before.

    Raises
    ------
    ArgumentError
        If it is no whole number of at least 1.

    Examples
    --------
    >>> import numbarnn as nr
    >>> with nr.set_num_threads(1):
    ...     nr.get_num_threads()
    1
    """
    good = threads is None or (
        hasattr(threads, "__index__") and not isinstance(threads, bool) and int(threads) >= 1
    )
    if not good:
        raise ArgumentError(
            f"`threads` must be an integer of at least 1, or None; got {threads!r}."
        )
    before = _chosen.get()
    _chosen.set(None if threads is None else int(threads))
    return _Setting(before)


def _find_core_of_caller():
    """The C library's ``sched_getcpu``; None where there is none."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        return ctypes.PyDLL(None).sched_getcpu
    except (OSError, AttributeError):
        return None


_core_of_caller = _find_core_of_caller()


class Pool:
    """Workers that wait for tasks; made when first needed, and again after a fork."""

    def __init__(self):
        self.reset()

    def reset(self):
        """Begin anew: in a forked child the workers of the parent do not exist."""
        self._lock = threading.Lock()
        self._tasks = queue.SimpleQueue()
        self._workers, self._cores = [], None
        self._inside = threading.local()

    def _ensure(self, count):
        with self._lock:
            while len(self._workers) < count:
                worker = threading.Thread(
                    target=self._serve,
                    args=(self._tasks,),
                    name=f"numbarnn-{len(self._workers)}",
                    daemon=True,
                )
                worker.start()
                self._workers.append(worker)
                self._cores = None
        self._keep_off()

    def _keep_off(self):
        """Keep the workers off the caller's core.

        A worker is woken by a caller that goes on to compute without ever waiting. If the scheduler
        puts it on the caller's core, it stays there for milliseconds while another core is idle.
        """
        if _core_of_caller is None:
            return
        cores = os.sched_getaffinity(0)
        if len(cores) < 2:
            return
        others = frozenset(cores - {_core_of_caller()})
        if others != self._cores:
            self._cores = others
            for worker in self._workers:
                # A worker of a process that ends may be gone.
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(worker.native_id, others)

    def _serve(self, tasks):
        self._inside.worker = True
        while True:
            tasks.get()()

    def run(self, job, count, threads):
        """Call ``job(i)`` for each i below `count`, on up to `threads` threads, the caller's among them.

        Nobody waits for a worker that has not begun. The first exception of a job is raised once no
        thread is at work any more.
        """
        extra = min(threads, count) - 1
        if extra < 1 or getattr(self._inside, "worker", False):
            for index in range(count):
                job(index)
            return
        shared = _Shared(job, count)
        try:
            self._ensure(extra)
            for _ in range(extra):
                self._tasks.put(shared.help)
            shared.work()
        except BaseException as error:  # noqa: B036  (an interrupt, raised below)
            shared.errors.append(error)
        shared.close()
        if shared.errors:
            raise shared.errors[0]

    def invite(self, job, count):
        """Have up to `count` workers call ``job(1)``, ``job(2)``, ... while the caller does something else.

        Nobody waits for them. They come when they can, perhaps when there is nothing left to do.
        """
        if getattr(self._inside, "worker", False):
            return
        self._ensure(count)
        for number in range(1, count + 1):
            self._tasks.put(partial(job, number))


class _Shared:
    """One job shared out by tickets."""

    def __init__(self, job, count):
        self._job, self._count = job, count
        self._tickets = itertools.count()
        self._changed = threading.Condition()
        self._helpers, self._closed = 0, False
        self.errors = []

    def work(self):
        """Take tickets until there are none, or something failed."""
        while not self.errors:
            with _TICKETS:
                index = next(self._tickets)
            if index >= self._count:
                return
            self._job(index)

    def help(self):
        """What a worker does, unless it comes too late."""
        with self._changed:
            if self._closed:
                return
            self._helpers += 1
        try:
            self.work()
        except BaseException as error:  # noqa: B036  (handed to the caller)
            self.errors.append(error)
        finally:
            with self._changed:
                self._helpers -= 1
                self._changed.notify()

    def close(self):
        """Let no more helpers in and wait for those at work, whatever interrupts."""
        while True:
            try:
                with self._changed:
                    self._closed = True
                    while self._helpers:
                        self._changed.wait()
                return
            except BaseException as error:  # noqa: B036
                self.errors.append(error)


#: Taking a ticket is one step under the GIL; without it, under this.
_TICKETS = threading.Lock()
POOL = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.reset)
