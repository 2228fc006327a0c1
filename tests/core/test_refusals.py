"""Refusals in the languages that are known."""

# ruff: noqa: RUF001 - several scripts are what this is about

from __future__ import annotations

import pytest

from quantdeck_core.quality import text_signals
from quantdeck_core.quality.refusals import HEAD_CHARACTERS, SPACED, TAIL_CHARACTERS, UNSPACED
from support.texts import CHINESE, ENGLISH, GERMAN, GOOD

REFUSALS = {
    "German": (
        "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
        "Dazu kann ich leider keine Auskunft geben.",
    ),
    "French": (
        "Je suis désolé, mais je ne peux pas vous aider.",
        "Je ne suis pas en mesure d'accéder à cette demande.",
    ),
    "Spanish": ("Lo siento, pero no puedo ayudarte con eso.", "Debo rechazar esta petición."),
    "Italian": ("Mi dispiace, ma non posso aiutarti.", "Devo rifiutare questa richiesta."),
    "Portuguese": ("Desculpe, mas não posso ajudar com isso.", "Não me sinto confortável: devo recusar."),
    "Dutch": ("Sorry, ik kan je daar niet mee helpen.",),
    "Polish": ("Przepraszam, ale nie mogę pomóc w tej sprawie.",),
    "Turkish": ("Üzgünüm, bu konuda yardımcı olamam.",),
    "Vietnamese": ("Xin lỗi, tôi không thể giúp bạn việc này.",),
    "Indonesian": ("Maaf, saya tidak dapat membantu permintaan ini.",),
    "Russian": ("Извините, но я не могу помочь с этим.", "Я вынужден отказать в этой просьбе."),
    "Ukrainian": ("Вибачте, але я не можу допомогти з цим.",),
    "Arabic": ("عذرا، لا أستطيع مساعدتك في هذا الطلب.",),
    "Hindi": ("माफ़ कीजिए, मैं इसमें आपकी मदद नहीं कर सकता।",),
    "Korean": ("죄송하지만 그 요청은 도와드릴 수 없습니다.", "이 요청은 거절해야 합니다."),
    "Chinese": ("抱歉，我无法帮助您完成这个请求。", "对不起，我不能提供这方面的信息。", "我必须拒绝这个请求。"),
    "Japanese": ("申し訳ありませんが、そのご依頼にはお応えできません。", "その件についてはお手伝いできません。"),
    "Thai": ("ขออภัย ฉันไม่สามารถช่วยเรื่องนี้ได้",),
}


def test_every_language_has_an_example() -> None:
    assert {one.name for one in (*SPACED, *UNSPACED)} == set(REFUSALS)


@pytest.mark.parametrize("language", REFUSALS)
def test_refusals_are_seen(language: str) -> None:
    for text in REFUSALS[language]:
        assert text_signals(text).refusal, text
        assert text_signals(text.upper()).refusal or language in (
            "German",
            "Turkish",
        )  # whose capitals do not all come back
        assert text_signals(f"{text}\n\n{ENGLISH * 5}").refusal
        assert text_signals(f"{ENGLISH * 5}\n\n{text}").refusal


@pytest.mark.parametrize("name", GOOD)
def test_answers_are_none(name: str) -> None:
    assert not text_signals(GOOD[name]).refusal


@pytest.mark.parametrize(
    "text",
    [
        "Ich helfe gern: Das Wasser kann nicht überlaufen, wenn der Deckel offen ist.",
        "Je ne peux que recommander ce livre, qui vous aidera beaucoup.",
        "No puedes ayudarle si no puede oírte; puedo explicarlo otra vez.",
        "Non è possibile, ma posso aiutarti in un altro modo.",
        "Eu posso ajudar com isso, não se preocupe.",
        "Я могу помочь с этим: сначала откройте крышку.",
        "我可以帮助您：不能提供电源时，请使用电池。",
        "はい、お手伝いできます。水がないと使用できません。",
        "네, 도와드릴 수 있습니다. 물이 없습니다.",
        "You cannot help it if the kettle won't answer.",
    ],
)
def test_what_only_sounds_like_one(text: str) -> None:
    assert not text_signals(text).refusal


def test_english_is_searched_for_anywhere_and_others_at_the_ends() -> None:
    for before in (CHINESE * 5, GERMAN * 4):
        assert len(before) > HEAD_CHARACTERS
        assert len(before) > TAIL_CHARACTERS
        assert text_signals(f"{before} I cannot help with that. {before}").refusal
        assert not text_signals(f"{before} \u201eDabei kann ich nicht helfen\u201c, sagte sie. {before}").refusal
