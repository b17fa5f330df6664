"""Reading, computing and writing at the same time, each waiting where another is behind."""

import contextlib
import queue
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from ..threads import get_num_threads, set_num_threads

#: How many pieces may wait between two stages.
DEPTH = 2
_END = object()


@contextlib.contextmanager
def ahead(items):
    """An iterator over what is made ahead of its use, in a thread, a few pieces at most."""
    waiting, left = queue.Queue(DEPTH), threading.Event()

    def put(entry):
        while not left.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(entry, timeout=0.1)
                return

    def read():
        try:
            for item in items:
                put((item, None))
                if left.is_set():
                    return
            put((_END, None))
        except BaseException as error:
            put((_END, error))

    def taken():
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item

    thread = threading.Thread(target=read, name="numbarnn-reader", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        left.set()
        # Who waits for a pipe that says nothing is not waited for.
        thread.join(5)


@contextlib.contextmanager
def behind(write):
    """A function that hands pieces to `write`, in a thread; it waits while a few have not been written.

    At the end all have been.
    """
    waiting, failed = queue.Queue(DEPTH), []

    def work():
        while (item := waiting.get()) is not _END:
            if failed:
                continue
            try:
                write(item)
            except BaseException as error:
                failed.append(error)

    def put(item):
        waiting.put(item)
        if failed:
            raise failed[0]

    thread = threading.Thread(target=work, name="numbarnn-writer", daemon=True)
    thread.start()
    try:
        yield put
    except BaseException:
        # What waits is not wanted any more.
        failed.append(None)
        raise
    finally:
        waiting.put(_END)
        thread.join()
    if failed:
        raise failed[0]


def in_order(function, items, workers):
    """``function(item)`` of every item, in order, several at a time with a share of the threads each."""
    if workers == 1:
        yield from map(function, items)
        return
    share = max(1, get_num_threads() // workers)
    pool = ThreadPoolExecutor(workers, "numbarnn-worker", set_num_threads, (share,))
    running = deque()
    try:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) > workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
