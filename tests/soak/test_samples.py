"""What a process holds is seen: descriptors, memory without a name, threads, children."""

from __future__ import annotations

import mmap
import os
import subprocess
import threading
from pathlib import Path

from tests.soak.samples import children_of, held_by, held_together, on_disk


def test_what_this_process_takes_is_counted_and_what_it_gives_back_no_longer() -> None:
    before = held_by(os.getpid())
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    memory = os.memfd_create("soak")
    child = subprocess.Popen(["sleep", "60"])
    try:
        found = held_by(os.getpid())
        assert found["threads"] == before["threads"] + 1
        assert found["descriptors"] == before["descriptors"] + 1
        assert found["memfds"] == before["memfds"] + 1
        assert found["children"] == before["children"] + 1
        assert child.pid in children_of(os.getpid())
        assert 0 < held_together([child.pid, child.pid])["pss"] < found["rss"]
    finally:
        ends.set()
        thread.join()
        os.close(memory)
        child.kill()
        child.wait()
    after = held_by(os.getpid())
    assert {name: after[name] for name in ("threads", "descriptors", "memfds", "children")} == {
        name: before[name] for name in ("threads", "descriptors", "memfds", "children")
    }


def test_memory_that_is_written_to_is_resident() -> None:
    before = held_by(os.getpid())["rss"]
    with mmap.mmap(-1, 32 << 20) as block:  # no memory that an earlier test has left
        block.write(bytes(32 << 20))
        assert held_by(os.getpid())["rss"] - before > 24 << 20


def test_one_that_has_ended_holds_nothing() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert set(held_together([child.pid]).values()) == {0}


def test_databases_and_their_logs_are_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"12")
    (tmp_path / "journal.db-wal").write_bytes(b"123")
    (tmp_path / "key").write_bytes(b"1")
    assert on_disk(tmp_path) == {"journal.db": 2, "journal.db-wal": 3}
