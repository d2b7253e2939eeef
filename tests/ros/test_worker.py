"""The one-slot mailbox, and what two threads meet by."""

from __future__ import annotations

import threading

import pytest

from sdepth_ros.worker import Rendezvous, Worker

PATIENCE_S = 5.0


def at_work(slots: int) -> tuple[Worker[int], threading.Event, list[int]]:
    """Return a worker that is at item 0, what lets it go on, and what it has done."""
    started, go_on, done = threading.Event(), threading.Event(), list[int]()

    def work(item: int) -> None:
        started.set()
        go_on.wait(PATIENCE_S)
        done.append(item)

    worker = Worker(work, ready=lambda item: True, slots=slots)
    worker.put(0)
    assert started.wait(PATIENCE_S)
    return worker, go_on, done


def test_while_one_is_worked_on_only_the_newest_waits() -> None:
    worker, go_on, done = at_work(slots=1)
    assert [worker.put(i) for i in (1, 2, 3)] == [None, 1, 2]
    go_on.set()
    while len(done) < 2:
        pass
    worker.close()
    assert done == [0, 3]


def test_with_more_slots_items_wait_in_order() -> None:
    worker, go_on, done = at_work(slots=2)
    assert [worker.put(i) for i in (1, 2, 3)] == [None, None, 1]
    go_on.set()
    while len(done) < 3:
        pass
    worker.close()
    assert done == [0, 2, 3]


def test_an_item_waits_until_it_is_ready() -> None:
    known, done = set[int](), threading.Event()
    worker = Worker(lambda item: done.set(), ready=lambda item: item in known)
    worker.put(7)
    assert not done.wait(0.1)
    known.add(7)
    worker.wake()
    assert done.wait(PATIENCE_S)
    worker.close()


def test_draining_finishes_one_and_forgets_the_rest() -> None:
    worker, go_on, done = at_work(slots=2)
    worker.put(1)
    threading.Timer(0.1, go_on.set).start()
    assert worker.drain() == [1]
    assert done == [0]
    worker.put(2)
    while len(done) < 2:
        pass
    worker.close()
    assert done == [0, 2]


@pytest.mark.parametrize("steps", ["offer let", "let offer", "offer let let", "let let offer"])
def test_what_was_offered_is_done_once_it_is_let(steps: str) -> None:
    done: list[str] = []
    both = Rendezvous()
    for at, step in enumerate(names := steps.split()):
        assert done == []
        both.let() if step == "let" else both.offer(lambda: done.append("it"))
        if {*names[: at + 1]} == {"offer", "let"}:
            break
    both.let()
    assert done == ["it"]


def test_a_failed_warm_up_is_raised_where_the_worker_was_made() -> None:
    def warm_up() -> None:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        Worker(lambda item: None, ready=lambda item: True, warm_up=warm_up)


def test_closing_ends_the_thread_though_an_item_waits() -> None:
    worker = Worker(lambda item: None, ready=lambda item: False)
    worker.put(1)
    worker.close(PATIENCE_S)
    assert not any(t.name == "worker" and t.is_alive() for t in threading.enumerate())
