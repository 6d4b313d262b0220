"""Known values: which variables hold one, and all the forms in which it is found."""

from __future__ import annotations

import base64
import json
import re
import textwrap
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, strategies as st

from pytest_mala.transport.scrub import Scrubber, known_values, prove
from pytest_mala.transport.scrub.known import CANARY, forms_of, slug

VALUE = 'cage/"door" is=open & b\\ird é'
ENVIRONMENT = {
    "MY_API_KEY": "value-of-key",
    "SOME_TOKEN": "value-of-token",
    "DB_PASSWORD": "value of password",
    "CLIENT_SECRET": "value-of-secret",
    "AWS_CREDENTIALS": "value-of-credentials",
    "PGPASSWORD": "value-of-pg",
    "SMTP_PASS": "value-of-pass",
    "PROXY_AUTH": "value-of-auth",
    "authorization": "Bearer value-of-header",
    "ALERT_WEBHOOK_URL": "https://example.org/hook/value",
    "lower_token": "value-of-lower",
}
OTHERS = {
    "PATH": "/usr/bin:/bin",
    "GIT_AUTHOR_NAME": "Somebody Else",
    "SSH_AUTH_SOCK": "/run/user/1000/agent.sock",
    "KEY_FILE": "/home/u/.ssh/id_rsa",
    "SIGNING_KEY": "/home/u/.ssh/id_ed25519",
    "GOOGLE_APPLICATION_CREDENTIALS": "/etc/google.json",
    "MAX_OUTPUT_TOKENS": "100000000",
    "TOKENIZERS_PARALLELISM": "disabled-1",
    "AUTH_MODE": "disabled",
    "AUTH_URL": "https://auth.example.org/",
    "KEYBOARD_LAYOUT": "dvorak-intl",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "SHORT_TOKEN": "1234567",
    "EMPTY_SECRET": "",
    "ANTHROPIC_API_KEY": "no-key-in-the-lane",
    "HOME_TOKEN": "/tmp/stage",
}


def test_a_variable_is_a_secret_by_its_name() -> None:
    public = ("no-key-in-the-lane", "/tmp/stage/workspace")
    found = known_values({**ENVIRONMENT, **OTHERS}, public=public)
    assert sorted(found) == sorted({**ENVIRONMENT, "authorization": "value-of-header"}.values())
    assert [len(one) for one in found] == sorted((len(one) for one in found), reverse=True)


def test_each_longer_line_of_a_value_counts() -> None:
    value = "-----BEGIN KEY-----\nfirst-line-of-the-key\nsecond-line-of-the-key\nshort\n-----END KEY-----\n"
    assert set(known_values({"KEY": value})) == {value.strip(), "first-line-of-the-key", "second-line-of-the-key"}


ENCODED = {
    "raw": VALUE,
    "JSON": json.dumps({"a": VALUE}),
    "JSON, not ASCII only": json.dumps({"a": VALUE}, ensure_ascii=False),
    "JSON in JSON": json.dumps({"a": json.dumps({"b": VALUE})}),
    "JSON in JSON in JSON": json.dumps({"a": json.dumps({"b": json.dumps([VALUE])})}),
    "URL path": f"https://example.org/{quote(VALUE)}",
    "URL parameter": f"https://example.org/?a=1&b={quote(VALUE, safe='')}&c=2",
    "URL parameter in small letters": quote(VALUE, safe="").replace("%2F", "%2f").replace("%C3%A9", "%c3%a9"),
    "form": f"a=1&b={quote_plus(VALUE)}&c=2",
    "URL in a URL": quote(f"https://example.org/?b={quote(VALUE, safe='')}", safe=""),
    "slug": f"/config/projects/-home-u-{slug(VALUE)}/a.jsonl",
    "hexadecimal": VALUE.encode().hex(),
    "base64 0": base64.b64encode(f"abc{VALUE} and more".encode()).decode(),
    "base64 1": base64.b64encode(f"a{VALUE} and more".encode()).decode(),
    "base64 2": base64.b64encode(f"ab{VALUE} and more".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"?>{VALUE}?>".encode()).decode().rstrip("="),
    "base64 in lines": "\n".join(textwrap.wrap(base64.b64encode(f"{'x' * 50}{VALUE}{'y' * 50}".encode()).decode(), 76)),
    "base64 of base64": base64.b64encode(base64.b64encode(VALUE.encode())).decode(),
    "base64 of a URL": base64.b64encode(f"https://h/?q={quote(VALUE, safe='')}&r=1".encode()).decode(),
    "base64 of JSON": base64.b64encode(json.dumps({"a": VALUE}).encode()).decode(),
    "base64 in a URL": "?a=" + quote(base64.b64encode(f"ab{VALUE}?".encode()).decode(), safe=""),
    "base64 in JSON in lines": json.dumps({"a": base64.encodebytes(f"{'x' * 50}{VALUE}{'y' * 50}".encode()).decode()}),
}


@pytest.mark.parametrize("name", ENCODED)
def test_a_known_value_is_found_in_each_form(name: str) -> None:
    scrubber = Scrubber([VALUE])
    assert "<secret-1>" in scrubber.clean(f"see {ENCODED[name]} there")
    assert "<secret-1>" in json.dumps(scrubber.clean({"a": [{"b": f"see {ENCODED[name]} there"}]}))
    assert scrubber.leaks(scrubber.clean([ENCODED[name]])) == []


def test_a_part_of_base64_takes_the_run_along() -> None:
    text = base64.b64encode(f"a{VALUE}bc".encode()).decode()
    assert Scrubber([VALUE]).clean(f"<{text}> {text}x") == "<<secret-1>> <secret-1>"


def test_the_same_secret_has_the_same_name_in_all_forms_and_frames() -> None:
    scrubber = Scrubber([VALUE, "another-value"])
    cleaned = [scrubber.clean(ENCODED[name]) for name in ("raw", "hexadecimal", "base64 of base64")]
    assert cleaned == ["<secret-1>"] * 3
    assert scrubber.clean({"b": "another-value", "a": VALUE}) == {"b": "<secret-2>", "a": "<secret-1>"}


def test_the_longer_of_two_values_names_what_both_are_in() -> None:
    scrubber = Scrubber(["password-1", "password-1-and-more"])
    assert scrubber.clean("password-1-and-more, password-1") == "<secret-1>, <secret-2>"


def test_a_value_with_a_shape_is_called_by_it() -> None:
    token = "gh" + "p_" + "a1B2c3D4e5" * 4
    scrubber = Scrubber([token])
    assert scrubber.clean([token, base64.b64encode(token.encode()).decode()]) == ["<github-1>", "<github-1>"]


def test_a_value_is_found_where_names_were_put_in() -> None:
    def hide(text: str) -> str:
        return text.replace("/home/u", "${HOME}")

    assert Scrubber(["db:/home/u/x"], hide=hide).clean(["db:${HOME}/x", "db:/home/u/x"]) == ["<secret-1>"] * 2


def test_two_forms_of_a_value_as_keys_lose_no_entry() -> None:
    made = Scrubber([VALUE]).clean({VALUE: 1, quote(VALUE, safe=""): 2, "x": 3})
    assert made == {"<secret-1>": 1, "<secret-1>'": 2, "x": 3}


def test_forms_that_look_the_same_are_searched_once() -> None:
    forms = [form.text for form in forms_of("plainvalue")]
    assert len(forms) == len(set(forms)) == 5  # raw, hexadecimal, base64 at three places


def test_the_canary_has_no_shape_and_looks_different_in_each_form() -> None:
    assert Scrubber().clean(f"see {CANARY}") == "see <secret-1>"
    names = {form.name for form in forms_of(CANARY)}
    assert names == {
        "raw",
        *(f"json-{number}" for number in range(1, 5)),
        "url",
        "slug",
        "hex",
        "base64-0",
        "base64-1",
        "base64-2",
    }


@pytest.mark.parametrize("name", sorted({form.name for form in forms_of(CANARY)}))
def test_without_a_form_the_proof_fails(name: str) -> None:
    scrubber = Scrubber()
    for form in forms_of(CANARY):
        if form.name == name:
            (scrubber._scanner._base64 if form.is_base64 else scrubber._scanner._plain).pop(form.text)
    assert {missed.partition(",")[0] for missed in prove(scrubber).missed} == {"known value"}


PRINTED = st.characters(codec="utf-8", categories=("L", "N", "P", "S"))


@given(
    st.text(PRINTED, min_size=8, max_size=40),
    st.text(max_size=20),
    st.text(max_size=20),
    st.sampled_from(["raw", "json", "b64"]),
)
def test_any_value_is_found_in_any_text(value: str, before: str, after: str, form: str) -> None:
    text = before + value + after
    if form == "json":
        text = json.dumps([text])
    elif form == "b64":
        text = base64.b64encode(text.encode("utf-8", "replace")).decode()
    cleaned = Scrubber([value]).clean(text)
    assert re.search(r"<[a-z-]+-1>", cleaned)
    assert Scrubber([value]).leaks_in_text(cleaned) == []
