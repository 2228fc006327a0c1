"""The prompts that every experiment has unless it gives its own: short ones of many kinds, and long ones."""

from __future__ import annotations

from functools import cache

from quantdeck_core.canary.long_text import register
from quantdeck_core.canary.prompt import CanaryPrompt

_SHORT = {
    "fact-capital": "The capital of France is Paris, the capital of Japan is Tokyo, and the capital of Egypt is",
    "fact-water": "At sea level, water boils at one hundred degrees Celsius and freezes at",
    "fact-planets": "The planets of the solar system, from the sun outwards, are Mercury, Venus, Earth, Mars,",
    "fact-history": "The first person to walk on the moon was Neil Armstrong, in July of the year",
    "sum": "12 + 30 = 42, 15 + 6 = 21, 40 + 17 =",
    "word-problem": "Anna has five apples. She gives two to Ben and buys four more at the market. Now Anna has",
    "sequence": "Continue the sequence: 2, 4, 8, 16, 32, 64,",
    "dates": "If today is Wednesday, then in three days it will be",
    "python": "def is_even(number: int) -> bool:\n    return number % 2 ==",
    "python-loop": "total = 0\nfor price in [3, 5, 7]:\n    total += price\nprint(total)  # prints",
    "sql": "SELECT name, email FROM customers WHERE country = 'Spain' ORDER BY name",
    "shell": "To list all files in a directory with their sizes, one runs ls -l, and to remove one, one runs",
    "json": '{"name": "Ada", "born": 1815, "languages": ["English", "French"], "city":',
    "json-list": '[{"id": 1, "done": true}, {"id": 2, "done": false}, {"id": 3,',
    "markdown": "| fruit | colour |\n|---|---|\n| lemon | yellow |\n| cherry |",
    "translate-french": "English: Good morning, how are you? French: Bonjour, comment",
    "translate-german": "English: The bridge is closed today. German: Die Brücke ist heute",
    "spanish": "Al final del verano los días son más cortos y las noches son más",
    "german": "Wenn es im Winter schneit, fahren die Kinder mit dem Schlitten den Berg",
    "french": "Pour faire un gâteau, il faut de la farine, des œufs, du sucre et du",
    "portuguese": "O rio corre devagar até chegar ao",
    "chinese": "今天天气很好,我们一起去公园散步,然后回家吃",
    "japanese": "昔々、あるところにおじいさんとおばあさんが住んで",
    "russian": "Зимой холодно, летом тепло, осенью часто идут",
    "arabic": "تشرق الشمس من الشرق وتغرب من",
    "instruction": "Explain in two sentences why the sky is blue.",
    "instruction-list": "List three things that one should pack for a day of hiking in the mountains.",
    "instruction-polite": "Write a short and friendly note that thanks a colleague for helping with a report.",
    "summary": "In one sentence: the meeting began late, two proposals were discussed, and the second one was",
    "pattern": "our boat, our crew, our nets, our catch, our ferry, our harbour",
    "opposites": "hot and cold, up and down, left and right, day and",
    "story": "The old clock in the tower had stopped, and nobody in the village knew why until one",
}
_QUESTION = "What was the code of the day, and in which entry does it stand? Answer: the code of the day was"


@cache
def builtin_prompts() -> tuple[CanaryPrompt, ...]:
    """The set, short ones first; the long ones hide a code at the beginning, in the middle and at the end."""
    long = {
        "long-early": f"{register(110, code_at=6, code='maple-417')}\n\n{_QUESTION}",
        "long-middle": f"{register(120, code_at=63, code='copper-982')}\n\n{_QUESTION}",
        "long-late": f"{register(140, code_at=131, code='violet-305')}\n\n{_QUESTION}",
    }
    return tuple(CanaryPrompt(id=name, text=text) for name, text in (_SHORT | long).items())
