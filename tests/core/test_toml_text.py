import pytest

from quantdeck_core.errors import ExitCode
from quantdeck_core.profile.schema import Profile
from quantdeck_core.profile.toml_text import TomlError, decode_toml, locate

GOOD = 'name = "a"\nmodel = "m.gguf"\n'


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('name = "a\n', "p.toml:1:10", "illegal character"),
        ('name = "a"\n[serve\n', "p.toml:2:7", "table"),
        ('name = "a"', "p.toml:1:1", "required field `model`"),
        (GOOD + '[serve]\nmax_model_len = "many"\n', "p.toml:4:1", "expected `int`"),
        (GOOD + "[serve]\n  threads = 0\n", "p.toml:4:3", ">= 1"),
        (GOOD + "[serve]\nthread = 2\n", "p.toml:4:1", "unknown field `thread`"),
        (GOOD + "serve.threads = 0\n", "p.toml:3:1", "serve.threads"),
        (GOOD + 'engine = "ollama"\n', "p.toml:3:1", "Invalid enum value".lower()),
        ('name = "No Good"\nmodel = "m"\n', "p.toml:1:1", "regex"),
    ],
)
def test_complaints_name_the_place(text: str, place: str, words: str) -> None:
    with pytest.raises(TomlError) as caught:
        decode_toml(text, Profile, "p.toml")
    assert caught.value.detail.startswith(place + ":")
    assert words in caught.value.detail.replace("Invalid", "invalid")
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_good_profile_has_the_defaults() -> None:
    profile = decode_toml(GOOD, Profile, "p.toml")
    assert (profile.engine, profile.served_name, profile.warmup.prompts) == ("xllamacpp", "assistant", 3)


def test_a_key_that_is_not_written_is_located_at_its_table() -> None:
    assert locate("a = 1\n\n[serve]\nb = 2\n", ["serve", "missing"]) == (3, 1)
