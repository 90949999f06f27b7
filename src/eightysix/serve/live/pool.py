"""`--jobs`: Tetragon's records decoded by other processes, while this one judges.

Decoding is what costs, and it needs no order: workers turn blocks into events, process facts and plain connections, and
this process puts them together as if it had decoded them itself. Blocks go through shared memory, answers through a pipe.
A worker that dies costs nothing but its help: what it had not answered is decoded here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import msgspec
from msgspec import Struct

from eightysix.detect.state import Fact
from eightysix.model.event import Contact, Event
from eightysix.model.incident import Problem
from eightysix.serve.live.loop import Followed
from eightysix.sources.interface import Batch
from eightysix.sources.lines import Block
from eightysix.sources.tetragon import Contacts, TetragonDecoder, Trees
from eightysix.store.live import SourceRow

__all__ = ["Ahead", "PooledTetragon"]

RING_BYTES = 8 << 20
"""Shared memory of one worker: blocks that wait for it."""

SMALL_BYTES = 512 << 10
"""Less than this in one turn is decoded here: the way to a worker and back would cost time and save none."""

MAX_FACTS = 65_536
"""Process facts that a worker remembers; then it forgets them all, and tells again what it meets."""

_TETRAGON = b'{"process_'


class _Task(Struct, array_like=True):
    number: int  # negative: bring times of connections up to date
    file: str = ""
    first_line: int = 0
    offset: int = 0
    size: int = 0


class _Answer(Struct, array_like=True):
    number: int
    events: list[Event]
    records: int
    recognised: int
    kinds: dict[str, int]
    first_ns: int
    last_ns: int
    problems: list[Problem]
    leftover: list[tuple[int, bytes]]
    facts: dict[str, dict[str, Fact]]
    contacts: dict[str, dict[str, Contact]]


_encode = msgspec.msgpack.Encoder().encode
_decode_task = msgspec.msgpack.Decoder(_Task).decode
_decode_answer = msgspec.msgpack.Decoder(_Answer).decode


class _Worker:
    """One worker, seen from here: a ring of shared memory, and what it was asked."""

    def __init__(self, context: multiprocessing.context.SpawnContext, first_execs: bool) -> None:
        self.memory = SharedMemory(create=True, size=RING_BYTES)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_work, args=(theirs, self.memory.name, first_execs), name="eightysix decode", daemon=True
        )
        self.process.start()
        theirs.close()
        self.asked: deque[tuple[int, int, int]] = deque()  # number, where its bytes begin and end
        self.answers: dict[int, _Answer] = {}
        self.alive = True

    def room(self, size: int) -> int:
        """Where `size` bytes can be put, -1 where there is no room."""
        if not self.asked:
            return 0 if size <= RING_BYTES else -1
        first, last = self.asked[0][1], self.asked[-1][2]
        if last > first:  # used in one piece: behind it, or at the beginning
            return last if last + size <= RING_BYTES else 0 if size < first else -1
        return last if last + size < first else -1

    def close(self) -> None:
        self.connection.close()
        self.process.join(2.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.memory.close()
        with suppress(FileNotFoundError):
            self.memory.unlink()


class PooledTetragon(TetragonDecoder):
    """A decoder that has most of its work done by `jobs` processes; `submit` blocks ahead of decoding them."""

    def __init__(self, trees: Trees, contacts: Contacts, *, first_execs: bool, jobs: int) -> None:
        super().__init__(trees, contacts, first_execs=first_execs)
        context = multiprocessing.get_context("spawn")
        self._workers = [_Worker(context, first_execs) for _ in range(jobs)]
        self._where: dict[tuple[str, int, int], tuple[_Worker, int]] = {}
        self._number = 0
        self.answered = 0
        """Blocks that were decoded by others."""

    def submit(self, blocks: Sequence[Block]) -> None:
        """Have the blocks decoded, to be asked for by `decode` soon."""
        if sum(len(block.data) for block in blocks) < SMALL_BYTES:
            return
        for block in blocks:
            if block.data.startswith(_TETRAGON):
                self._ask(block)

    def decode(self, block: bytes, file: str, first_line: int, newlines: Sequence[int] = ()) -> Batch:
        """See `Decoder.decode`."""
        worker, number = self._where.pop((file, first_line, len(block)), (None, 0))
        answer = self._answer(worker, number) if worker is not None else None
        if answer is None:
            return super().decode(block, file, first_line, newlines)
        self.answered += 1
        self._apply(answer)
        batch = Batch(events=answer.events)
        batch.records, batch.recognised, batch.kinds = answer.records, answer.recognised, answer.kinds
        batch.first_ns, batch.last_ns = answer.first_ns, answer.last_ns
        batch.problems, batch.leftover = answer.problems, answer.leftover
        return batch

    def flush(self) -> None:
        """Bring the latest times of all contacts up to date, those that wait in the workers too."""
        super().flush()
        asked = []
        for worker in self._workers:
            self._number += 1
            if self._send(worker, _Task(-self._number)):
                asked.append((worker, -self._number))
        for worker, number in asked:
            answer = self._answer(worker, number)
            if answer is not None:
                self._apply(answer)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.close()

    def _ask(self, block: Block) -> None:
        size = len(block.data)
        workers = sorted((w for w in self._workers if w.alive), key=lambda w: len(w.asked))
        for worker in workers:
            offset = worker.room(size)
            if offset < 0:
                continue
            self._number += 1
            _buffer(worker.memory)[offset : offset + size] = block.data
            if self._send(worker, _Task(self._number, block.file, block.first_line, offset, size)):
                worker.asked.append((self._number, offset, offset + size))
                self._where[block.file, block.first_line, size] = (worker, self._number)
            return

    def _send(self, worker: _Worker, task: _Task) -> bool:
        if worker.alive:
            try:
                worker.connection.send_bytes(_encode(task))
            except OSError:
                worker.alive = False
        return worker.alive

    def _answer(self, worker: _Worker, number: int) -> _Answer | None:
        """The answer of a worker, waited for; None where it died before."""
        while number not in worker.answers:
            if not worker.alive:
                return None
            try:
                answer = _decode_answer(worker.connection.recv_bytes())
            except (EOFError, OSError):
                worker.alive = False
                return None
            worker.answers[answer.number] = answer
            if answer.number > 0:
                worker.asked.popleft()
        return worker.answers.pop(number)

    def _apply(self, answer: _Answer) -> None:
        for pod, facts in answer.facts.items():
            tree = self._trees.get(pod)
            if tree is None:
                tree = self._trees[pod] = {}
            for exec_id, fact in facts.items():
                known = tree.get(exec_id)
                if known is None or (not known[0] and fact[0]):
                    tree[exec_id] = fact
            self.grown.add(pod)
        for pod, contacts in answer.contacts.items():
            for name, (first, last) in contacts.items():
                self._keep_contact(pod, name, first)
                self._keep_contact(pod, name, last)


class Ahead:
    """Inputs that are read one turn ahead, so that workers decode while this process judges. What it says of places is
    of the blocks that it gave out."""

    def __init__(self, inputs: Followed, pool: PooledTetragon) -> None:
        self._inputs = inputs
        self._pool = pool
        self._held: list[Block] = []
        self._held_sources = inputs.sources()
        self._sources = self._held_sources

    def poll(self, budget_bytes: int) -> list[Block]:
        """Whole new lines; never waits."""
        fresh = self._inputs.poll(budget_bytes)
        sources = self._inputs.sources()
        self._pool.submit(fresh)
        if not self._held and sum(len(block.data) for block in fresh) < SMALL_BYTES:
            self._sources = self._held_sources = sources
            return fresh
        given, self._held = self._held, fresh
        self._sources, self._held_sources = self._held_sources, sources
        return given

    def sources(self) -> dict[str, SourceRow]:
        """How far every input was read, for all blocks that `poll` has returned."""
        return self._sources

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""
        return not self._held and bool(getattr(self._inputs, "ended", False))

    def wait(self, timeout_s: float) -> None:
        """Return when there is something to poll, or after `timeout_s`."""
        if not self._held:
            self._inputs.wait(timeout_s)  # type: ignore[attr-defined]


def _buffer(memory: SharedMemory) -> memoryview:
    if memory.buf is None:
        raise EOFError("the shared memory was closed")
    return memory.buf


def _work(connection: Connection, memory_name: str, first_execs: bool) -> None:
    """The loop of a worker: it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    memory = SharedMemory(name=memory_name)
    trees: dict[str, dict[str, Fact]] = {}
    contacts: dict[str, dict[str, Contact]] = {}
    decoder = TetragonDecoder(trees, contacts, first_execs=first_execs)
    decoder.moved_contacts = {}
    told: dict[str, int] = {}
    try:
        while True:
            task = _decode_task(connection.recv_bytes())
            batch = Batch()
            if task.number < 0:
                decoder.flush()
            else:
                data = bytes(_buffer(memory)[task.offset : task.offset + task.size])
                batch = decoder.decode(data, task.file, task.first_line)
            facts = {pod: dict(islice(trees[pod].items(), told.get(pod, 0), None)) for pod in decoder.grown}
            told.update((pod, len(trees[pod])) for pod in decoder.grown)
            moved = {
                pod: {name: contacts[pod][name] for name in names}
                for pod, names in decoder.moved_contacts.items()
            }
            decoder.grown.clear()
            decoder.moved_contacts.clear()
            answer = _Answer(
                task.number, batch.events, batch.records, batch.recognised, batch.kinds, batch.first_ns, batch.last_ns,
                batch.problems, batch.leftover, facts, moved,
            )  # fmt: skip
            connection.send_bytes(_encode(answer))
            if sum(map(len, trees.values())) > MAX_FACTS:
                decoder.flush()
                trees.clear()
                told.clear()
    except (EOFError, OSError, KeyboardInterrupt):
        os._exit(0)
