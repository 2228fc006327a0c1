"""Is it the quantization, or is it upstream?"""

from __future__ import annotations

import pytest

from quantdeck_core.incident.replay import Replayed, conclude, more_often

LOOP: tuple[str, ...] = ("loop",)
FINE: tuple[str, ...] = ()


def prompts(*arms: tuple[tuple[str, ...] | None, tuple[str, ...] | None]) -> list[Replayed]:
    return [Replayed(t=1.0, flags=LOOP, control=control, treatment=treatment) for control, treatment in arms]


@pytest.mark.parametrize(
    ("arms", "conclusion"),
    [
        ([], "nothing-to-replay"),
        ([(FINE, LOOP)] * 2, "unclear"),
        ([(FINE, LOOP)] * 8, "quantization"),
        ([(LOOP, LOOP)] * 8, "upstream"),
        ([(LOOP, FINE)] * 8, "upstream"),
        ([(FINE, FINE)] * 8, "unclear"),
        ([(LOOP, LOOP)] * 3 + [(FINE, LOOP)] * 5, "quantization"),
        ([(LOOP, LOOP)] * 2 + [(FINE, LOOP)] * 3 + [(FINE, FINE)] * 3, "unclear"),
        ([(FINE, LOOP)] * 6 + [(FINE, FINE)] * 6, "quantization"),
        ([(None, LOOP)] * 8, "unclear"),
    ],
)
def test_conclusions(arms: list[tuple[tuple[str, ...] | None, tuple[str, ...] | None]], conclusion: str) -> None:
    report = conclude(prompts(*arms))
    assert report.conclusion == conclusion
    assert report.compared == sum(None not in arm for arm in arms)
    assert report.text.endswith(".")


def test_what_every_model_does_to_some_prompts_says_nothing_about_another_kind_of_flag() -> None:
    empty = [Replayed(t=1.0, flags=("empty",), control=("empty",), treatment=("empty",)) for _ in range(8)]
    report = conclude([*prompts(*[(FINE, LOOP)] * 8, *[(FINE, FINE)] * 4), *empty])
    assert report.conclusion == "quantization"
    assert "loop: of 12 prompts 0 on the control, 8 again on the treatment" in report.text
    assert "It is upstream of the quantization (empty: of 8 prompts 8 on the control" in report.text
    assert (report.compared, report.control_flagged, report.treatment_flagged) == (20, 8, 16)


def test_fishers_tea() -> None:
    assert more_often(4, 0, 4) == pytest.approx(1 / 70)
    assert more_often(3, 1, 4) == pytest.approx(17 / 70)
    assert more_often(0, 0, 4) == 1.0
