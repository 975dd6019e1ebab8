"""Customer service as `make demo` has it: its own environment and process, the host's documents, stores and vectors."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from parlour.people.users import set_role
from parlour.processes.sample import put_in
from parlour.store.ids import UserId
from parlour.turns.states import Author
from tests.fakes.turns import ScriptedEngine
from tests.support.stage import Stage, make_template, open_stage

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The small shop's documents and this one skill; installing it takes numpy from the package index, once."""
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(ROOT / "deploy" / "demo", folder / "deploy" / "demo")
    # Bytecode comes and goes while others run its own tests.
    skill = Path("plugins") / "customer-service"
    shutil.copytree(ROOT / skill, folder / skill, ignore=shutil.ignore_patterns("__pycache__"))
    with open_stage(make_template(folder / "data")) as made:
        told = list(put_in(made.platform, folder))
        assert "The skill customer-service" in told[1], told
        assert "6 taken into the queue" in told[2], told
        yield made
        made.platform.skills.close()


@pytest.fixture
def told(stage: Stage) -> Callable[..., str]:
    """Gives a command and returns what is answered at last."""

    def tell(command: str, *, says: str = "All well.", **details: str) -> str:
        stage.command(command, **details)
        answerer = stage.platform.answerer(cast("Any", ScriptedEngine([says])))
        while waiting := stage.queue.take():
            for turn_id in waiting:
                answerer.answer(turn_id)
        return stage.messages(Author.ASSISTANT.value)[-1]

    return tell


@pytest.mark.parametrize(
    ("question", "answer", "source"),
    [
        ("How long can I return tea?", "within 30 days of delivery", "shop/orders.md"),
        ("怎么取消订单", "可以修改或取消", "shop/订单.md"),
        ("哪种茶不含咖啡因", "Rooibos, peppermint and chamomile have none", "shop/shop.md"),
    ],
)
def test_a_question_is_answered_from_the_documents_whatever_the_model_says(
    told: Callable[..., str], question: str, answer: str, source: str
) -> None:
    said = told(f"ask {question}", says="Penguins live in Antarctica. They eat fish. They swim well.")

    assert answer in said
    assert f"[1] {source}" in said
    assert "Penguins" not in said


@pytest.mark.parametrize("question", ["Who won the world cup?", "今天天气怎么样"])
def test_what_the_documents_do_not_say_is_not_known(told: Callable[..., str], question: str) -> None:
    said = told(f"ask {question}", says="It was Brazil.")

    assert "I do not know that" in said or "这个我不知道" in said
    assert "Brazil" not in said


def test_what_an_admin_approves_is_said_to_everyone(told: Callable[..., str], stage: Stage) -> None:
    question = "ask is it possible to have a teapot engraved"
    assert "20 letters" not in told(question)
    assert told("service approve all", sender="boss") == "Only admins can do this."

    set_role(stage.platform.database, UserId(stage.turns()[-1].user_id), "admin")
    assert "6 approved" in told("service approve all", sender="boss")

    assert "Yes, up to 20 letters" in told(question)
    assert "[1] an approved answer" in told(question)
    assert "not known" in told("service report", sender="boss")
