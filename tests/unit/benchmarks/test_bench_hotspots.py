"""What is made of the stacks of a profile."""

from __future__ import annotations

from benchmarks.hotspots import shares

AGENT = "main (worker.py:1);join_clicks (streamapp/agents/clicks.py:30)"


def test_a_stack_belongs_to_its_innermost_python_function() -> None:
    stack = f"{AGENT};split (streamapp/decoding.py:56);json_decode (msgspec/_core.so);malloc (libc.so.6) 3"
    assert shares([stack])[1] == {"split (streamapp/decoding.py)": 3}


def test_lines_of_one_function_are_one() -> None:
    samples, functions, _ = shares([f"{AGENT} 3", f"{AGENT.replace(':30', ':31')} 4"])
    assert samples == 7
    assert functions == {"join_clicks (streamapp/agents/clicks.py)": 7}


def test_code_that_was_made_at_run_time_is_python() -> None:
    assert shares([f"{AGENT};__init__ (<string>:3) 2"])[1] == {"__init__ (<string>)": 2}


def test_the_most_frequent_come_first() -> None:
    assert list(shares(["a (one.py:1) 1", "b (two.py:1) 5"])[1]) == ["b (two.py)", "a (one.py)"]


def test_a_thread_that_waits_does_not_count() -> None:
    waits = [
        f"{AGENT};select (selectors.py:468);select_epoll_poll (selectmodule.c:841);epoll_wait (libc.so.6) 9",
        f"{AGENT};uv__io_poll (linux.c:1452);epoll_pwait (libc.so.6) 9",
        f"{AGENT};_queue_SimpleQueue_get (_queuemodule.c:253);PyThread_acquire_lock_timed (libpython3.11.so.1.0) 9",
        f"{AGENT};sock_send (socketmodule.c:4207);pthread_cond_timedwait (libc.so.6);0x7f6bedaa3f16 (libc.so.6) 9",
    ]
    assert shares([*waits, f"{AGENT} 1"])[0] == 1


def test_what_runs_beneath_python_is_told_by_its_library() -> None:
    stacks = [
        f"{AGENT} 1",
        f"{AGENT};PyDict_SetItem (libpython3.11.so.1.0) 2",
        f"{AGENT};gc_collect_main (libpython3.11.so.1.0);gc_traverse (msgspec/_core.so) 4",
        f"{AGENT};rocksdb::(anonymous namespace)::Seek (rocksdict/rocksdict.so);memcmp (libc.so.6) 8",
        f"{AGENT};sock_send (socketmodule.c:923);send (libc.so.6) 16",
    ]
    assert shares(stacks)[2] == {"network": 16, "rocksdict": 8, "garbage collector": 4, "interpreter": 3}
