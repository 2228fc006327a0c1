# ruff: noqa: RUF001 - several scripts are what this is about
"""Whether an answer is a refusal: phrases of several languages, as data.

The English ones are the lesson's (*Deploying Quantized Models in Production*), searched for anywhere as there. The
others are the same four kinds of sentences (I cannot help; I am not comfortable; I must decline; sorry, but I cannot),
searched for at the beginning and at the end: who refuses says so first, or last after having begun; in the middle of a
long answer such a sentence is mostly somebody else's, in a story or a letter.

Cheap first: a pattern is only tried where one of its words, or for scripts without spaces one of its pieces, is there.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

HEAD_CHARACTERS, TAIL_CHARACTERS = 800, 400
_HEAD_WORDS, _TAIL_WORDS = 150, 75

_FIRST_PERSON = re.compile(
    "i (?:"
    "(?:cannot|can't|am unable to|won't) (?:help|assist|answer|respond|provide)"
    "|(?:don't|do not) (?:feel comfortable|think it's appropriate)"
    "|must (?:decline|refuse)"
    ")"
)
_ABOUT_IT = re.compile("this (?:request|question|topic) (?:is|seems) (?:inappropriate|harmful|dangerous)")
_ABOUT_IT_BEGINS = ("this request", "this question", "this topic")


class Language(NamedTuple):
    """How one language refuses.

    Attributes:
        words: lower-cased; a refusal has at least one of them, standing free.
        patterns: regular expressions on lower-cased text; `[^.!?\\n]{0,N}` keeps each within a sentence.
    """

    name: str
    words: tuple[str, ...]
    patterns: tuple[str, ...]


SPACED = (
    Language(
        "German",
        ("ich",),
        (
            r"\b(?:ich (?:kann|darf|werde)|(?:kann|darf|werde) ich)\b[^.!?\n]{0,80}\bnicht (?:weiter)?"
            r"(?:helfen|beantworten|nachkommen|unterstützen|bereitstellen|behilflich sein)",
            r"\b(?:ich (?:kann|darf|werde)|(?:kann|darf|werde) ich)\b[^.!?\n]{0,60}\bkeine "
            r"(?:hilfe|auskunft|antwort|anleitung)",
            r"\bich bin nicht in der lage\b",
            r"\bich (?:muss|möchte)\b[^.!?\n]{0,60}\bablehnen",
            r"\bdabei ist mir nicht wohl\b|\bich fühle mich\b[^.!?\n]{0,40}\bnicht wohl",
        ),
    ),
    Language(
        "French",
        ("je",),
        (
            r"\bje ne (?:peux|puis|pourrai|saurais) (?:pas )?(?:vous |t'|te |malheureusement )?"
            r"(?:aider|assister|répondre|fournir|donner suite|accéder|satisfaire)",
            r"\bje ne suis pas en mesure d",
            r"\bje (?:dois|préfère) (?:décliner|refuser)",
            r"\bje ne me sens pas à l'aise",
            r"\bje suis désolée?, mais je ne (?:peux|puis)",
        ),
    ),
    Language(
        "Spanish",
        ("puedo", "debo", "siento", "posible", "estoy"),
        (
            r"\bno (?:le |te |os )?puedo (?:ayudar|asistir|responder|proporcionar|ofrecer|cumplir|facilitar)",
            r"\bno me es posible (?:ayudar|responder|proporcionar|ofrecer)",
            r"\bdebo (?:rechazar|negarme|declinar)",
            r"\bno me siento cómod[oa]",
            r"\blo siento, pero no puedo|\bno estoy en condiciones de",
        ),
    ),
    Language(
        "Italian",
        ("posso", "sono", "devo", "dispiace,", "sento"),
        (
            r"\bnon (?:ti |vi |la )?posso (?:aiutar|assister|risponder|fornir|soddisfar|offrir)",
            r"\bnon sono in grado di (?:aiutar|assister|risponder|fornir|soddisfar)",
            r"\bdevo (?:rifiutar|declinar)",
            r"\bnon mi sento a mio agio",
            r"\bmi dispiace, ma non posso",
        ),
    ),
    Language(
        "Portuguese",
        ("posso", "consigo", "devo", "sinto"),
        (
            r"\bnão (?:o |te |lhe )?(?:posso|consigo) (?:ajud|auxili|respond|fornec|atend|oferec)",
            r"\bdevo (?:recusar|declinar)",
            r"\bnão me sinto confortável",
            r"\b(?:sinto muito|desculpe|lamento), mas não posso",
        ),
    ),
    Language(
        "Dutch",
        ("ik",),
        (
            r"\bik kan\b[^.!?\n]{0,40}\bniet (?:mee |bij )?(?:helpen|beantwoorden|assisteren)",
            r"\bik (?:moet|wil)\b[^.!?\n]{0,40}\b(?:weigeren|afwijzen)",
        ),
    ),
    Language(
        "Polish",
        ("mogę", "muszę"),
        (
            r"\bnie mogę (?:ci |panu |pani |w tym |na to )*(?:pomóc|odpowiedzieć|udzielić|dostarczyć|spełnić)",
            r"\bmuszę odmówić",
        ),
    ),
    Language(
        "Turkish",
        ("bu", "size", "sana", "üzgünüm,"),
        (r"\b(?:yardımcı olamam|yardım edemem|yanıt veremem|yerine getiremem|yardımcı olamıyorum)",),
    ),
    Language(
        "Vietnamese",
        ("tôi",),
        (r"\btôi (?:không thể|xin từ chối) ?(?:giúp|hỗ trợ|trả lời|cung cấp|đáp ứng)?",),
    ),
    Language(
        "Indonesian",
        ("saya",),
        (
            r"\bsaya (?:tidak (?:dapat|bisa)|harus menolak) ?"
            r"(?:membantu|memberikan|menjawab|memenuhi|menyediakan|untuk)",
        ),
    ),
    Language(
        "Russian",
        ("я", "вынужден", "вынуждена"),
        (
            r"\bя не (?:могу|смогу|буду|в состоянии) (?:вам |тебе |с этим |на это |этого )*"
            r"(?:помо[гч]|ответ|предостав|выполн|обсужд|содейств)",
            r"\bя не (?:могу|смогу)\b[^.!?\n]{0,40}\bпомочь",
            r"\b(?:вынужден|вынуждена) (?:отказать|отклонить)",
            r"\bмне некомфортно",
        ),
    ),
    Language(
        "Ukrainian",
        ("я",),
        (r"\bя не (?:можу|зможу)\b[^.!?\n]{0,40}\b(?:допомогти|відповісти|надати|виконати)",),
    ),
    Language(
        "Arabic",
        ("لا", "أعتذر"),
        (r"لا (?:أستطيع|يمكنني) (?:مساعد|المساعدة|تقديم|الإجابة|تلبية)", r"أعتذر[^.!?\n]{0,40}لا (?:أستطيع|يمكنني)"),
    ),
    Language(
        "Hindi",
        ("मैं",),
        (r"मैं [^।.!?\n]{0,60}(?:मदद|सहायता|उत्तर|प्रदान) नहीं (?:कर|दे) सकत",),
    ),
    Language(
        "Korean",
        ("없습니다.", "없습니다", "없어요.", "없어요", "거절해야", "거절할"),
        (
            r"(?:도와\s?드릴|도움을 드릴|도움이 될|"
            r"답변(?:을)?\s?드릴|답변할|제공(?:해 드릴|할)|응할|들어드릴) 수(?:가|는)? "
            r"없(?:습니다|어요)",
            r"거절(?:해야|할 수밖에)",
        ),
    ),
)
"""Languages that put spaces between words."""

UNSPACED = (
    Language(
        "Chinese",
        ("无法", "無法", "不能", "拒绝", "拒絕", "没办法"),
        (
            "我(?:无法|無法|不能|没办法)[^。！？\n]{0,20}(?:帮助|協助|协助|幫助|提供|回答|满足|滿足|完成|处理|處理)",
            "(?:抱歉|对不起|對不起)[，,]?(?:但)?我(?:无法|無法|不能)",
            "我(?:必须|必須|不得不|只能)(?:拒绝|拒絕)",
        ),
    ),
    Language(
        "Japanese",
        ("できません", "かねます", "お断り"),
        (
            "(?:お手伝い|お答え|回答|対応|提供|支援|お応え)(?:する(?:こと)?)?(?:は|が)?(?:できません|いたしかねます|致しかねます|できかねます)",
            "申し訳(?:ありません|ございません)が[、,][^。\n]{0,40}(?:できません|かねます)",
            "お断り(?:します|いたします|しなければ|せざるを得)",
        ),
    ),
    Language(
        "Thai",
        ("ไม่สามารถ", "ปฏิเสธ"),
        ("(?:ฉัน|ผม|ดิฉัน|เรา)(?:ขออภัย)?[^\n]{0,20}ไม่สามารถ(?:ช่วย|ให้|ตอบ)", "(?:ฉัน|ผม|ดิฉัน)(?:ต้อง|ขอ)ปฏิเสธ"),
    ),
)
"""Languages that do not; `words` are pieces of the text."""

_words = frozenset(word for one in SPACED for word in one.words)


@cache
def _compiled(language: Language) -> re.Pattern[str]:
    """When it is needed: all of them together take longer than the rest of a program's start."""
    return re.compile("|".join(language.patterns))


def refuses(lowered: str, words: list[str]) -> bool:
    """Whether a text in lower case, and with its words, refuses; typographic apostrophes count as plain ones."""
    if "\u2019" in lowered:
        lowered = lowered.replace("\u2019", "'")
    if "i " in lowered and _FIRST_PERSON.search(lowered):
        return True
    if any(begin in lowered for begin in _ABOUT_IT_BEGINS) and _ABOUT_IT.search(lowered):
        return True
    return _refuses_otherwise(lowered, words)


def _refuses_otherwise(lowered: str, words: list[str]) -> bool:
    """In another language than English, at either end."""
    if len(words) > _HEAD_WORDS + _TAIL_WORDS:
        words = words[:_HEAD_WORDS] + words[-_TAIL_WORDS:]
    there = _words.intersection(words)
    if not there and lowered.isascii():
        return False
    ends = lowered
    if len(lowered) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        ends = f"{lowered[:HEAD_CHARACTERS]}\n{lowered[-TAIL_CHARACTERS:]}"
    if there and any(_compiled(one).search(ends) for one in SPACED if not there.isdisjoint(one.words)):
        return True
    if ends.isascii():
        return False
    return any(_compiled(one).search(ends) for one in UNSPACED if any(piece in ends for piece in one.words))
