"""What is never learned by itself: secrets, numbers of cards and documents, health, religion and the like.

Rules that anyone can read, for English and Chinese; `parlour bench personalisation` says how often they hold. They are
meant to err on the side of forgetting. A person who wants such a thing remembered says so, and it is.
"""

import re
import unicodedata
from enum import StrEnum
from typing import Final


class Sensitive(StrEnum):
    """Why something is not learned."""

    SECRET = "secret"  # noqa: S105 (a word, not one)
    NUMBER = "card or document"
    HEALTH = "health"
    BELIEF = "religion"
    POLITICS = "politics"
    SEXUALITY = "sexuality"
    ORIGIN = "origin"
    CRIME = "crime"
    UNION = "union"


def _any(english: str, chinese: str) -> re.Pattern[str]:
    """Whole English words (each may go on with `…`), Chinese words anywhere."""
    words = "|".join(re.escape(word).replace("…", r"\w*").replace(r"\ ", r"[\s-]+") for word in english.split("|"))
    return re.compile(rf"\b(?:{words})\b|(?:{chinese})")


_WORDS: Final = {
    Sensitive.SECRET: _any(
        "password…|passwd|passphrase…|passcode…|pin|pins|pin code|api key…|access key…|secret key…|private key…|"
        "access token…|bearer|auth token…|recovery code…|backup code…|verification code…|one time code…|otp|2fa|"
        "seed phrase…|recovery phrase…|mnemonic…|secret word|security answer|alarm code…|door code…|credentials|"
        "cvv|cvc|the code for|code of my|code to my|my login",
        "密码|口令|验证码|校验码|令牌|密钥|私钥|助记词|动态码|安全码|登录码|门禁码|取款码",
    ),
    Sensitive.NUMBER: _any(
        "card number…|credit card…|debit card…|account number…|iban|passport number…|passport no|ssn|"
        "social security…|driver's licence|driver's license|driving licence…|driving license…|licence number…|"
        "license number…|tax id…|tax number…|national insurance|id number…|identity card…|insurance number…|"
        "visa number…|routing number…|sort code…",
        "身份证|银行卡|信用卡|卡号|护照号|护照号码|驾驶证号|驾照号|社保号|社会保障号|通行证号|税号|账号是|银行账号",
    ),
    Sensitive.HEALTH: _any(
        "diagnos…|disease…|illness…|sick leave|cancer…|tumou…|chemo|chemotherap…|diabet…|insulin|asthma…|epilep…|"
        "stroke|heart attack…|heart condition|surger…|operated on|blood pressure|cholesterol|hiv|aids|hepatitis|std|"
        "depress…|antidepress…|anxiety|bipolar|schizophren…|ptsd|panic attack…|adhd|autis…|dyslexi…|ocd|"
        "eating disorder…|anorexi…|bulimi…|therapist…|psychiatr…|psycholog…|psychotherap…|counsell…|"
        "medication…|prescri…|pregnan…|miscarriage…|abortion…|ivf|infertil…|menopaus…|disab…|wheelchair|deaf|blind|"
        "sober|rehab|alcoholi…|addict…|overdose…|suicid…|self harm…|migraine…|insomnia|arthritis|dementia|alzheimer…|"
        "parkinson…|multiple sclerosis|crohn…|thyroid|kidney…|dialysis|transplant…|covid|infect…|symptom…|chronic…|"
        "my doctor|hospitali…|in hospital|allergic to|allergy|allergies|my health|mental health|obes…|"
        "is sick|am sick|terminally ill|ill with",
        "确诊|诊断|糖尿病|高血压|血压|血糖|血脂|癌|肿瘤|化疗|放疗|手术|哮喘|癫痫|中风|心脏病|冠心病|抑郁|焦虑症|双相|"
        "精神分裂|精神病|强迫症|自闭症|多动症|心理医生|心理咨询|精神科|吃药|服药|用药|降压药|药物|怀孕|流产|堕胎|不孕|试管|"
        "残疾|残障|轮椅|失明|失聪|聋|戒酒|戒毒|吸毒|酗酒|自杀|自残|失眠|偏头痛|关节炎|痴呆|帕金森|肾病|透析|移植|艾滋|"
        "肝炎|乙肝|肺炎|结核|性病|感染|症状|慢性病|住院|过敏|生病|患有|患了|病史|体检|得了.{0,6}病|有.{0,6}症",
    ),
    Sensitive.BELIEF: _any(
        "catholic…|protestant…|christian…|orthodox|evangelical…|baptist…|methodist…|mormon…|jehovah…|muslim…|islam…|"
        "sunni|shia|hindu…|buddhis…|sikh…|jewish|judaism|jew|jews|kosher|halal|atheis…|agnostic…|religio…|faith|"
        "pray|prays|praying|prayer…|mosque|synagogue|to church|my church|church every|bible|quran|koran|torah|to mass|"
        "baptis…|baptiz…|converted to|ramadan|sabbath|believe in god|my god|pagan…|wicca…|scientolog…|taois…|"
        "practising|practicing",
        "基督|天主教|教堂|教会|信佛|佛教|佛教徒|皈依|穆斯林|伊斯兰|清真寺|道教|犹太教|印度教|信教|信仰|宗教|礼拜|祷告|"
        "祈祷|受洗|洗礼|圣经|古兰经|无神论|信主|信神|信上帝|斋月|念经|法轮",
    ),
    Sensitive.POLITICS: _any(
        "voted|vote for|voting for|my vote|election…|republican…|democrats|democratic party|labour party|tory|tories|"
        "conservative party|the greens|green party|liberal party|socialis…|communis…|fascis…|anarchis…|marxis…|"
        "left wing|right wing|far right|far left|party member…|member of the party|political party|political view…|"
        "politically|my politics|protest…|rally|march against|march for|marched|demonstrat…|activist…|"
        "the government|president|prime minister|donate to the|campaign for|campaigned|liberal|libertarian…",
        "党员|共产党|国民党|民进党|民主党|共和党|工党|保守党|党派|入党|投票|投了|选举|政治立场|政治观点|示威|游行|抗议|"
        "反政府|左派|右派|支持政府|反对政府|政见|异见|独立运动",
    ),
    Sensitive.SEXUALITY: _any(
        "gay|lesbian…|bisexual…|bi sexual|homosexual…|heterosexual…|queer|asexual…|pansexual…|lgbt…|transgender…|"
        "trans woman|trans man|trans person|transsexual…|transition…|non binary|nonbinary|genderfluid|came out|"
        "coming out|sexual…|sex life|my sex|polyamor…|kink…|fetish…|drag queen|attracted to|virgin",
        "同性|双性|异性恋|同志身份|出柜|男同|女同|性取向|性向|跨性别|变性|性生活|性别认同|无性恋|泛性恋|酷儿|百合",
    ),
    Sensitive.ORIGIN: _any(
        "ethnic…|my race|racial…|african american…|asian american…|hispanic|latino|latina|latinx|caucasian|"
        "half roma|roma|romani|gypsy|sinti|native american…|indigenous|aboriginal…|maori|kurdish|kurd|uyghur…|tibetan…|"
        "mixed race|biracial|i'm black|i am black|i'm white|i am white|black man|black woman|white man|white woman|"
        "person of colou…|people of colou…|my skin|skin colou…|asylum|refugee…|undocumented|immigration status|"
        "my ancestry|hutu|tutsi",
        "民族|少数民族|藏族|维吾尔|回族|蒙古族|满族|壮族|苗族|彝族|朝鲜族|哈萨克|土家族|侗族|瑶族|傣族|"
        "种族|族裔|血统|混血|黑人|白人|难民|肤色|籍贯歧视",
    ),
    Sensitive.CRIME: _any(
        "convict…|prison…|jail…|parole…|probation|arrested|criminal record…|felon…|misdemeano…|indicted|charged with|"
        "in custody|sentenced|served time|community service order|shoplift…|detained|restraining order…|on bail|"
        "police record|lawsuit against me",
        "犯罪|前科|坐牢|坐过牢|入狱|监狱|判刑|判了|拘留|被捕|逮捕|缓刑|假释|刑满|案底|犯过",
    ),
    Sensitive.UNION: _any(
        "trade union…|labor union…|labour union…|workers' union|teachers' union|union member…|union rep…|"
        "shop steward…|unioni…|the union|my union|a union",
        "工会",
    ),
}
_DIGITS: Final = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_CHINESE_ID: Final = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)")
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_SSN: Final = re.compile(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)")
_LONG_NUMBER: Final = re.compile(r"(?<!\d)\d(?:[ .-]?\d){10,}(?!\d)")
_DOCUMENT: Final = re.compile(r"\b(?=[A-Z0-9]*\d[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{8,}\b")
_KEY_LIKE: Final = re.compile(r"-----BEGIN|\b(?:sk|pk|ghp|gho|xox[abp]|AKIA|AIza)[-_A-Za-z0-9]{8}|\beyJ[\w-]{8,400}\.")
_LONG_RUN: Final = re.compile(r"\b[A-Za-z0-9_+/=-]{20,}")
_IN_KEYS: Final = tuple(re.compile(kind) for kind in (r"\d", "[a-z]", "[A-Z]"))


def is_sensitive(text: str) -> bool:
    """Whether this may not be learned unless the person says to remember it."""
    return why_sensitive(text) is not None


def why_sensitive(text: str) -> Sensitive | None:
    """The first kind of sensitive matter that `text` looks like, None where it looks like none."""
    whole = unicodedata.normalize("NFKC", text).replace("’", "'")
    if _KEY_LIKE.search(whole) or any(map(_holds_key, whole.split())):
        return Sensitive.SECRET
    if _holds_number(whole):
        return Sensitive.NUMBER
    folded = whole.casefold()
    return next((kind for kind, words in _WORDS.items() if words.search(folded)), None)


def _holds_key(word: str) -> bool:
    """Whether a long run of letters, digits and signs is followed, in it or behind it, by one of each kind."""
    # Their last places, found once: to look ahead from every run would take a time that grows by the square.
    last = min(max((found.start() for found in kind.finditer(word)), default=-1) for kind in _IN_KEYS)
    return last >= 0 and any(run.start() <= last for run in _LONG_RUN.finditer(word))


def _holds_number(text: str) -> bool:
    """A card, an account or a document by its form; where there is a check digit or not, a long number is enough."""
    patterns = (_DIGITS, _CHINESE_ID, _IBAN, _SSN, _LONG_NUMBER, _DOCUMENT)
    return any(pattern.search(text) for pattern in patterns)
