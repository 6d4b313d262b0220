"""The table of shapes: each rule finds its canary and no other does; what is no secret stays."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from typing import Any

import pytest

from pytest_mala.transport.proof import Proof
from pytest_mala.transport.scrub import RULES, RULES_VERSION, Rule, Scrubber, prove
from pytest_mala.transport.scrub.rules import ALNUM, digest
from pytest_mala.transport.scrub.scan import Scanner

RULE_NAMES = [rule.name for rule in RULES]
PLANTED = 174


def without(rule: Rule) -> tuple[Rule, ...]:
    return tuple(one for one in RULES if one is not rule)


def test_the_whole_table_lets_no_canary_through() -> None:
    proof = prove(Scrubber())
    assert proof == Proof(rules=RULES_VERSION, planted=PLANTED, found=PLANTED)
    assert proof.is_whole
    assert proof.to_data() == {"rules": 1, "planted": PLANTED, "found": PLANTED}


@pytest.mark.parametrize("rule", RULES, ids=RULE_NAMES)
def test_without_a_rule_the_proof_fails_and_names_it(rule: Rule) -> None:
    proof = prove(Scrubber(rules=without(rule)))
    assert not proof.is_whole
    assert proof.missed
    assert {name.partition(",")[0] for name in proof.missed} == {rule.name}


@pytest.mark.parametrize("rule", RULES, ids=RULE_NAMES)
def test_a_canary_is_found_by_its_rule_alone(rule: Rule) -> None:
    text = f"see {rule.planted()} there"
    assert [hit.rule for hit in Scanner().hits(text)] == [rule.name]
    assert Scanner(rules=without(rule)).hits(text) == []


@pytest.mark.parametrize("rule", RULES, ids=RULE_NAMES)
def test_what_stands_around_a_secret_stays(rule: Rule) -> None:
    cleaned = Scrubber().clean(f"see {rule.planted()} there")
    assert cleaned.startswith("see ")
    assert cleaned.endswith(" there")
    assert f"<{rule.name}{'-1' if rule.numbered else ''}>" in cleaned


@pytest.mark.parametrize("before", ["", "\\n", "\\\\n", "%20", "%3D", "\\u0020", "\x1b[32m", "=", "'", '"', "(", "\\t"])
@pytest.mark.parametrize("rule", RULES, ids=RULE_NAMES)
def test_a_secret_is_found_behind_whatever_ends_the_word_before_it(rule: Rule, before: str) -> None:
    secret = rule.planted()
    assert secret not in Scrubber().clean(f"word{before or ' '}{secret} there")


def test_the_table_is_that_of_its_version() -> None:
    assert (RULES_VERSION, digest()) == (1, "1d60ae421d7aa2ec"), "a changed table needs another RULES_VERSION"


def test_names_are_unique_and_literals_lower_case() -> None:
    assert len(set(RULE_NAMES)) == len(RULES) >= 17
    for rule in RULES:
        assert rule.literals
        assert all(literal == literal.lower() and len(literal) >= 2 for literal in rule.literals)
        assert rule.source


def made(alphabet: str, count: int, seed: int = 7) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=count))


MORE = {
    "an admin key": ("anthropic", "sk-" + "ant-admin01-" + made(ALNUM, 40)),
    "a refresh token": ("anthropic-oauth", "sk-" + "ant-ort01-" + made(ALNUM, 40)),
    "an old key of OpenAI": ("openai", "sk-" + made(ALNUM, 48)),
    "a server's token": ("github", "gh" + "s_" + made(ALNUM, 36)),
    "a runner": ("gitlab", "gl" + "rt-" + made(ALNUM, 20)),
    "a temporary id": ("aws-id", "AS" + "IA" + made("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
    "AWS in JSON": ("aws-secret", json.dumps({"SecretAccessKey": made(ALNUM, 40)})),
    "AWS in a shell": ("aws-secret", "export AWS_SECRET_ACCESS_KEY=" + made(ALNUM, 40)),
    "an app of Slack": ("slack", "xapp" + "-1-A012-" + made(ALNUM, 30)),
    "a test key": ("stripe", "rk" + "_test_" + made(ALNUM, 24)),
    "curl": ("bearer", f"curl -H 'Authorization: Bearer {made(ALNUM, 24)}'"),
    "a header in JSON": ("bearer", json.dumps({"authorization": f"Bearer {made(ALNUM, 24)}"})),
    "basic in JSON": ("basic", json.dumps({"Authorization": "Basic " + base64.b64encode(b"me:c4ge-bird").decode()})),
    "a repository": ("url-password", "https://x:" + made(ALNUM, 12) + "@example.org/a.git"),
    "a password with signs": ("url-password", "redis://:p%40ss-" + made(ALNUM, 6) + "@localhost:6379/0"),
    "TOML": ("assigned", f"api_key = '{made(ALNUM, 20)}'"),
    "YAML": ("assigned", f"client_secret: {made(ALNUM, 20)}"),
    "a type": ("assigned", f'password: str = "{made(ALNUM, 20)}"'),
    "a shell": ("assigned", f"export MY_API_KEY={made(ALNUM, 20)}"),
    "a query": ("assigned", f"https://example.org/?a=1&token={made(ALNUM, 20)}&b=2"),
    "a comparison": ("assigned", f'if password == "{made(ALNUM, 20)}":'),
    "JSON in JSON": ("assigned", json.dumps(json.dumps({"token": made(ALNUM, 20)}))),
}


@pytest.mark.parametrize("name", MORE)
def test_other_looks_of_a_shape(name: str) -> None:
    rule, text = MORE[name]
    assert [hit.rule for hit in Scanner().hits(text)] == [rule]


def test_a_value_is_a_secret_by_the_name_of_its_field() -> None:
    secret = made(ALNUM, 20)
    assert Scrubber().clean({"input": {"db_password": secret, "note": secret}}) == {
        "input": {"db_password": "<assigned-1>", "note": secret}
    }


def test_a_key_block_is_replaced_whole_also_if_its_end_is_missing() -> None:
    block = next(rule for rule in RULES if rule.name == "private-key").planted()
    assert Scrubber().clean(f"a\n{block}\nb") == "a\n<private-key-1>\nb"
    torn = block[: block.index("-----END")]
    assert Scrubber().clean(f"a\n{torn}(more left out)") == "a\n<private-key-1>\n(more left out)"
    numbered = "\n".join(f"{number:6}→{line}" for number, line in enumerate(torn.strip().split("\n"), start=1))
    assert Scrubber().clean(numbered).endswith("→<private-key-1>")
    assert Scrubber().clean("it begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----") == (
        "it begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----"
    )


UUID = "519b86dd-f7df-4e4b-96ba-fe5e52cbc6a5"
SHA1 = hashlib.sha1(b"commit").hexdigest()
SHA256 = hashlib.sha256(b"digest").hexdigest()
IMAGE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + random.Random(3).randbytes(200_000)).decode()

INNOCENT: dict[str, Any] = {
    "ids": {
        "uuid": UUID,
        "session_id": UUID,
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "tool_use_id": "toolu_01A09q90qw90lq917835lq9",
        "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
        "token": UUID,
        "api_key": "toolu_01A09q90qw90lq917835lq9",
    },
    "commits": f"commit {SHA1}\nparent {SHA1[:12]}\nsha256:{SHA256}\ntoken={SHA1}",
    "digests": {"sha256": SHA256, "secret_key": SHA256, "integrity": "sha512-" + base64.b64encode(b"x" * 64).decode()},
    "usage": {"input_tokens": 12, "cache_creation_input_tokens": 4096, "apiKeySource": "ANTHROPIC_API_KEY"},
    "an image": {"type": "base64", "media_type": "image/png", "data": IMAGE},
    "an image in lines": "\n".join(IMAGE[at : at + 76] for at in range(0, len(IMAGE), 76)),
    "a data URL": f"data:image/png;base64,{IMAGE}",
    "code": (
        "token = self.tokens.next_token2(x)\npassword = os.environ['DB_PASSWORD_2']\nsecret = settings.secret_v2\n"
        "api_key: str | None = None\ndef login(user, password=DEFAULT_PASSWORD_1): ...\nkey = row.api_key\n"
        "assert token == expected_token_1\npassword = getpass1(prompt)\ntoken: TokenKind2 = TokenKind2.NAME"
    ),
    "documents": (
        "postgres://user:password@localhost/db, https://user:${PASSWORD}@host, redis://:***@host, https://a:b@c\n"
        "Authorization: Bearer <token>; Bearer authentication-scheme-1; Authorization: Basic authentication\n"
        "sk-ant-..., ghp_xxxx, AKIA..., `eyJ...`; a risk-based task-oriented disk-usage-of-the-machine-0123456789\n"
        "password: my-secret-name-1, token: your_token_here_1, API_KEY=test-key-123, secret = changeme1234"
    ),
    "little entropy": "password = aaaaaaaaaaa1, token=/etc/Some1/Path2x9Q/file, secret: correcthorsebattery",
    "no base64": "Authorization: Basic a-b_c-d_e=, Authorization: Basic abcde",
    "paths": [
        "/usr/lib/python3.11/site-packages/Token/Secret_Key/Password2/file.py",
        "-tmp-mala-x1Y2z3-workspace-tests-transport-Test-File",
        "src/components/Authentication/PasswordResetForm/index.tsx",
    ],
    "scp": "git@github.com:owner/repository.git and ssh://git@example.org:22/a and http://[::1]:8080/@me",
    "locks": f"https://files.example.org/packages/{SHA256[:2]}/{SHA256[2:4]}/{SHA256[4:]}/a-1.whl#sha256={SHA256}",
    "placeholders": {"password": "<assigned-1>", "text": "Bearer <bearer-1>, postgres://a:<url-password-1>@h/x"},
}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_is_no_secret_stays(name: str) -> None:
    value = INNOCENT[name]
    assert Scrubber().clean(value) is value


def test_no_random_image_is_destroyed() -> None:
    for seed in range(20):
        data = base64.b64encode(random.Random(seed).randbytes(100_000)).decode()
        assert Scrubber(["a-known-value-1"]).clean({"data": data})["data"] == data
