"""Every case given to the real engines: they must do what `check` says. `make engines`; about 10 minutes."""

from __future__ import annotations

import pytest

from engines.cases import agreement, measuring, tools
from engines.cases.case import CASES, Case
from engines.cases.results import Result

HOUR_S = 3600


@pytest.fixture(scope="module")
def found() -> tools.Tools:
    return tools.find()


@pytest.fixture(scope="module")
def measured(found: tools.Tools, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Case -> what was measured just now."""
    root = tmp_path_factory.mktemp("cases")
    return {one.name: one for one in measuring.measure(found, CASES, root).results}


@pytest.mark.timeout(HOUR_S)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_engines_do_what_check_says(case: Case, found: tools.Tools, measured: dict[str, Result]) -> None:
    if case.maker == "by_llama_quantize" and found.llama_quantize is None:
        pytest.skip("QUANTDECK_LLAMA_QUANTIZE names no program")
    result = measured[case.name]
    said = [agreement.disagreement(case, result, engine) for engine in agreement.ENGINES]
    said.append(agreement.conversion_disagreement(case, result))
    assert not any(said), "\n".join(filter(None, said))
