"""Who talks in the personalisation benchmark: what they said of themselves, what they ask, how answers are judged."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from parlour.turns.text import detect_language

Rule = Literal["language", "address", "length", "format", "recall", "avoid"]
RULES: Final[tuple[Rule, ...]] = ("language", "address", "length", "format", "recall", "avoid")


@dataclass(frozen=True, slots=True)
class Check:
    """One rule that an answer keeps or breaks.

    `language`: the answer is in the language `value`. `address`: it holds the name `value`. `length`: at most `value`
    words (Chinese characters count as words). `format`: a line matches the pattern `value`. `recall`: one of the words
    of `value` (parted by `|`) stands in it. `avoid`: the pattern `value` does not.
    """

    rule: Rule
    value: str

    def holds(self, answer: str) -> bool:  # noqa: PLR0911 (one for each rule)
        """Whether the answer keeps it. An empty answer keeps nothing."""
        if not answer.strip(" …"):
            return False
        match self.rule:
            case "language":
                return detect_language(answer) == self.value
            case "address":
                return self.value.casefold() in answer.casefold()
            case "length":
                return len(re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+", answer)) <= int(self.value)
            case "format":
                return re.search(self.value, answer, re.MULTILINE) is not None
            case "recall":
                return any(word.casefold() in answer.casefold() for word in self.value.split("|"))
            case "avoid":
                return re.search(self.value, answer, re.IGNORECASE) is None


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody scripted. `language` is what `/language` was set to, where it was."""

    name: str
    profile: tuple[str, ...]
    says: tuple[tuple[str, str], ...]
    """Messages to learn from, each with a word that must stand in what is learned; empty: nothing is to be."""
    asks: tuple[tuple[str, tuple[Check, ...]], ...]
    language: str | None = None


_EMOJI: Final = "[\U0001f300-\U0001faff\u2600-\u27bf]"
_LIST: Final = r"^\s*(?:[-*•]|\d+[.)])\s"

PERSONAS: Final = (
    Persona(
        "Annie",
        ("call me Annie", "please answer briefly", "I live in Lisbon", "I have a cat called Pixel"),
        (
            ("Please call me Annie from now on.", "Annie"),
            ("I moved to Lisbon last year and work as a baker.", "Lisbon"),
            ("My cat is called Pixel.", "Pixel"),
            ("What is the time in Tokyo?", ""),
        ),
        (
            ("Greet me by my name, please.", (Check("address", "Annie"), Check("length", "40"))),
            ("In which city do I live?", (Check("recall", "Lisbon"), Check("length", "40"))),
            ("What is the name of my cat?", (Check("recall", "Pixel"), Check("length", "40"))),
            ("Why is the sky blue?", (Check("length", "40"), Check("language", "en"))),
        ),
    ),
    Persona(
        "Dr. Stone",
        ("call me Dr. Stone", "please answer formally", "never use emojis", "I play the cello", "My sister lives in Oslo"),
        (
            ("Address me as Dr. Stone.", "Stone"),
            ("Never use emojis with me.", "emoji"),
            ("I have played the cello for twenty years.", "cello"),
            ("Thanks, that helped a lot!", ""),
        ),
        (
            ("Say good morning to me.", (Check("address", "Stone"), Check("avoid", _EMOJI))),
            ("Which instrument do I play?", (Check("recall", "cello"), Check("avoid", _EMOJI))),
            ("Where does my sister live?", (Check("recall", "Oslo"), Check("avoid", _EMOJI))),
            ("Wish me luck for tomorrow.", (Check("address", "Stone"), Check("avoid", f"{_EMOJI}|!{{2,}}"))),
        ),
    ),
    Persona(
        "Tom",
        ("call me Tom", "please answer with bullet points", "don't recommend meat", "I work as a nurse", "I live in Leeds"),
        (
            ("Please write your answers as bullet points.", "bullet"),
            ("I work as a nurse in Leeds.", "nurse"),
            ("Don't recommend meat to me.", "meat"),
            ("How do I boil an egg?", ""),
        ),
        (
            ("Give me three ideas for dinner.", (Check("format", _LIST), Check("avoid", r"\b(?:beef|chicken|pork|bacon|ham|steak|meat)\b"))),
            ("What is my job?", (Check("recall", "nurse"),)),
            ("In which town do I live?", (Check("recall", "Leeds"),)),
            ("How do I keep basil alive?", (Check("format", _LIST), Check("language", "en"))),
        ),
    ),
    Persona(
        "小王",
        ("叫我小王", "请回答简短一点", "我住在成都", "我养了一只狗，叫豆豆"),
        (
            ("以后叫我小王吧。", "小王"),
            ("我住在成都，是一名老师。", "成都"),
            ("我养了一只狗，叫豆豆。", "豆豆"),
            ("今天星期几？", ""),
        ),
        (
            ("请用我的名字和我打个招呼。", (Check("address", "小王"), Check("language", "zh"))),
            ("我住在哪个城市？", (Check("recall", "成都"), Check("length", "40"))),
            ("我的狗叫什么名字？", (Check("recall", "豆豆"), Check("length", "40"))),
            ("天空为什么是蓝色的？", (Check("length", "60"), Check("language", "zh"))),
        ),
        language="zh",
    ),
    Persona(
        "陈女士",
        ("叫我陈女士", "请用正式的语气回答", "不要推荐海鲜", "我喜欢爬山", "我在杭州开茶馆"),
        (
            ("请称呼我为陈女士。", "陈女士"),
            ("我在杭州开了一家茶馆。", "茶馆"),
            ("不要推荐海鲜。", "海鲜"),
            ("谢谢你！", ""),
        ),
        (
            ("请向我问好。", (Check("address", "陈女士"), Check("language", "zh"))),
            ("推荐三道菜给我。", (Check("avoid", "虾|蟹|鱼|海鲜|贝"), Check("language", "zh"))),
            ("我的茶馆在哪个城市？", (Check("recall", "杭州"), Check("language", "zh"))),
            ("我有什么爱好？", (Check("recall", "爬山|登山"), Check("language", "zh"))),
        ),
        language="zh",
    ),
)  # fmt: skip
