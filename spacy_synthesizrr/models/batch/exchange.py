"""Requests out, answers in: what a teacher that works with batch files does between its prompts and the folder of files.

One exchange is one pass: answers that lie in the folder are taken in, prompts without an answer are written, and at the end of
the pass the file of requests appears. Several models may share it, so that one file holds what all of them ask.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List

from filelock import FileLock, Timeout

from spacy_synthesizrr.errors import BudgetReached, RunFolderError, SynthesizrrError, WaitsForAnswers
from spacy_synthesizrr.lines import LongLine, read_lines
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.budget import Budget, Spent
from spacy_synthesizrr.models.answers.ledger import Purpose
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.batch.answers import LONGEST, Taken, take_in
from spacy_synthesizrr.models.batch.files import (
    URL,
    Draft,
    answers_in,
    custom_id,
    drafts_in,
    line_of,
    number_of,
    request_of,
    requests_in,
    requests_name,
)
from spacy_synthesizrr.models.batch.index import Index, Sender
from spacy_synthesizrr.models.chat.admission import OverBudget
from spacy_synthesizrr.models.chat.shape import Shape
from spacy_synthesizrr.prompts import Answer, Failure

PER_BYTE = 0.25  # prompt tokens per byte of body, before any answer says more
OVERHEAD = 200  # bytes of a line beside its body, at most
LOCK_WAIT = 20.0  # seconds for another process to finish its file


@dataclass(frozen=True)
class Rules:
    """How requests files are written.

    max_retries (int): How often a request is written again after an error that may pass. max_requests (int), max_bytes (int): Of
    one file. url (str): In every line.
    """

    max_retries: int = 2
    max_requests: int = 50_000
    max_bytes: int = 200_000_000
    url: str = URL


@dataclass
class Pass:
    """What happened since the last report.

    new (Dict[Path, Spent]): Requests files written, with what they can cost at most; `size` (Dict[Path, int]): their bytes of bodies.
    waits (Counter[Path]): Prompts that wait, by file. over (int): Prompts that were not written because of `cap`.
    """

    new: Dict[Path, Spent] = field(default_factory=dict)
    size: Dict[Path, int] = field(default_factory=dict)
    waits: Counter[Path] = field(default_factory=Counter)
    over: int = 0
    cap: str = ""


class Exchange:
    """One pass over a folder of batch files.

    shape (Shape): How a prompt becomes a request.
    caps (Budget): Caps and price.
    store (ResponseStore): Where answers are kept.
    folder (Path): Where the files lie.
    purpose (Purpose): On whose account, without a stage.
    """

    def __init__(self, shape: Shape, caps: Budget, store: ResponseStore, folder: Path, *, rules: Rules, purpose: Purpose) -> None:
        self.shape, self.store, self.folder, self.rules, self._caps = shape, store, folder, rules, caps
        self.sender = Sender(shape.identity, purpose, shape.model, shape.limit, caps.price)
        ledger.prepare(store)
        self.index = Index(store)
        self.budget = caps.starting(Spent())
        self.done = Pass()
        self._draft: Draft | None = None
        self._file = 0
        self._per_byte = PER_BYTE
        self._lock = FileLock(store.path.with_name(f".{store.path.name}.lock"), thread_local=False)

    # ── answers in ───────────────────────────────────────────────────────────────────────────────────────────────────

    def refresh(self) -> List[Taken]:
        """Look at the folder: which requests files are there, what was answered, what may be spent.

        RETURNS (List[Taken]): What each file of answers brought that is new or holds lines that cannot be used.
        """
        self._sweep()
        if self._draft is None:
            self.done = Pass()
        for name in self.index.awaited():
            if not self.index.path_of(name).is_file():
                self.index.withdraw_file(name)
        for path in requests_in(self.folder):
            self._register(path)
        folders = {self.folder.resolve(): self.folder}
        folders |= {path.resolve(): path for path in (self.index.path_of(name).parent for name in self.index.files(published=True))}
        taken = list(take_in(self.index, itertools.chain.from_iterable(answers_in(folder) for folder in folders.values())))
        self._settle_budget()
        return taken

    def _sweep(self) -> None:
        """Clear away what killed processes left, unless somebody is writing now."""
        unfinished = self.index.files(published=False)
        if self._draft is not None or not (unfinished or any(drafts_in(self.folder))):
            return
        try:
            with self._lock.acquire(timeout=0):
                for name in self.index.files(published=False):
                    settle = self.index.publish if self.index.path_of(name).is_file() else self.index.forget_file
                    settle(name)
                for path in drafts_in(self.folder):
                    path.unlink(missing_ok=True)
        except Timeout:
            return

    def _register(self, path: Path) -> None:
        """Enter a requests file that the tables do not know: the store is new, or the file came from elsewhere."""
        if self.index.name_of(path) in self.index.files(published=True) + self.index.files(published=False):
            return
        read = (None if isinstance(line, LongLine) else request_of(line) for _, line in read_lines(path, limit=LONGEST))
        self.index.add_known(path, self.sender, ((*found, self._caps.most(found[2])) for found in read if found is not None))

    def _settle_budget(self) -> None:
        scope = self.sender.purpose.scope
        self.budget = self._caps.starting(ledger.spent(self.store, scope))
        self.budget.reserve(self.index.reserved(scope))
        self._per_byte = self.index.tokens_per_byte() or PER_BYTE

    # ── requests out ─────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, prompt: str, *, stage: str = "", round: int = 0) -> Answer | Failure:
        """Answer a prompt from the store, or see to it that it is asked.

        stage (str), round (int): For the ledger.
        RETURNS (Answer | Failure): "missing" when it waits in a file; "budget" when a cap keeps it from being written; another
            kind when it was answered with an error and is not asked again.
        """
        request = self.shape.hash_of(prompt)
        answer = self.store.get(request)
        if answer is not None:
            return answer
        state = self.index.state(request)
        if not state.waits and state.over(self.rules.max_retries):
            return state.failure(request)
        if state.waits:
            path = self.index.path_of(state.waits)
        else:
            body = self.shape.body_of(prompt)
            if len(body) + OVERHEAD > self.rules.max_bytes:
                return Failure("too_long", f"{len(body):,} bytes, over the limit of a file ({self.rules.max_bytes:,})", request=request)
            most = self.budget.most(len(body))
            if alone := self.budget.alone(most):  # no later run will ask it either
                return Failure("too_long", OverBudget(alone, alone=True).detail, request=request)
            self.budget.reached = self.budget.reached or self.budget.exceeded_by(most)
            if self.budget.reached:
                self.done.over, self.done.cap = self.done.over + 1, self.budget.reached
                return Failure("budget", OverBudget(self.budget.reached).detail, request=request)
            label = getattr(prompt, "key", "")
            path = self._write(request, body, most, purpose=Purpose(stage=stage, round=round), label=label)
        self.done.waits[path] += 1
        return Failure("missing", f"waits in {path}", request=request)

    def _write(self, request: str, body: bytes, most: Spent, *, purpose: Purpose, label: str) -> Path:
        """Add a request to the draft. RETURNS (Path): The file in which it waits."""
        try:
            draft = self._draft or self._open()
            state = self.index.state(request)  # again, now that nobody else writes
            if state.waits:
                return self.index.path_of(state.waits)
            line = line_of(custom_id(request, state.attempts + 1), body, url=self.rules.url)
            if draft.requests and not draft.has_room(line, max_requests=self.rules.max_requests, max_bytes=self.rules.max_bytes):
                self.publish()
                draft = self._open()
            self.index.enter(self._file, request, state.attempts + 1, purpose=purpose, label=label, size=len(body), most=most)
            draft.put(line)
        except BaseException:  # such as a full disk or Ctrl-C: half a line must not appear
            self.drop()
            raise
        self.budget.reserve(most)
        self.done.new.setdefault(draft.path, Spent()).add(most)
        self.done.size[draft.path] = self.done.size.get(draft.path, 0) + len(body)
        return draft.path

    def _open(self) -> Draft:
        try:
            self._lock.acquire(timeout=LOCK_WAIT)
        except Timeout:
            raise RunFolderError(
                f"Something else is writing requests for {self.store.path}: another process, or another model in this one. "
                "Wait for it, or give this model a folder of its own (folder = …)."
            ) from None
        taken = (number_of(path.name) for path in requests_in(self.folder))
        number = 1 + max(self.index.highest(self.folder), max(taken, default=0))
        path = self.index.path_of(self.index.name_of(self.folder / requests_name(number)))
        self._draft = Draft(path)
        self._file = self.index.add_file(path, self.sender)
        return self._draft

    def publish(self) -> None:
        """Let the requests file appear, if anything was written."""
        if self._draft is None or not self._draft.requests:
            return self.drop()
        draft, self._draft = self._draft, None
        try:
            draft.publish()
            self.index.publish(self.index.name_of(draft.path))
        finally:
            self._lock.release()

    def drop(self) -> None:
        """Forget what was written since the last file appeared."""
        draft, self._draft = self._draft, None
        if draft is None:
            self._lock.release()
            return
        try:
            draft.drop()
            self.index.forget_file(self.index.name_of(draft.path))
        finally:
            self._lock.release()
        for counts in (self.done.new, self.done.size, self.done.waits):
            counts.pop(draft.path, None)

    # ── what to do next ──────────────────────────────────────────────────────────────────────────────────────────────

    def report(self) -> List[str]:
        """RETURNS (List[str]): For people: which files wait, what they take, what to do."""
        done, lines = self.done, []
        for path, most in done.new.items():
            tokens = f"about {done.size[path] * self._per_byte:,.0f} prompt tokens"
            answers = f", at most {most.answer_tokens:,} answer tokens" if self.shape.limit else ""
            cost = self.budget.price.cost(most.prompt_tokens, most.answer_tokens) if self.shape.limit else None
            money = "" if cost is None else f", at most {cost:.4f} to pay"
            lines.append(f"{path}: {most.requests:,} new requests, {tokens}{answers}{money}")
        for path, count in sorted(done.waits.items()):
            if path not in done.new:
                lines.append(
                    f"{path}: {count:,} prompts still wait for answers to this file. If none will come, remove it: they are written anew."
                )
        if done.over:
            lines.append(f"{done.over:,} requests are not written: {done.cap}. Raise the cap in [teacher.budget] to have them asked.")
        if done.waits:
            lines.append(
                f"Have the requests answered, put the answers and errors that come back into {self.folder} as .jsonl files, and run "
                "the same command again."
            )
        return lines

    def reason(self) -> SynthesizrrError | None:
        """RETURNS (SynthesizrrError | None): Why the work cannot go on now; None when every prompt has its answer."""
        waiting = self.done.waits.total()
        if waiting:
            return WaitsForAnswers(
                f"{waiting:,} prompts wait for the answers to their requests in {self.folder}. Nothing is lost; run the same command "
                "again when the answers are there."
            )
        if self.done.over:
            return BudgetReached(
                f"The budget is used up: {self.done.cap}. All answers until now are kept. Raise the cap in [teacher.budget] and run "
                "again: the work goes on where it stopped. What was spent: synthesizrr responses ledger"
            )
        return None
