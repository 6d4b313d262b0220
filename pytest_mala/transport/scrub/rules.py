"""The shapes of secrets, in one table: how each looks, which cheap literal begins it, and a canary that only it finds.

To add a rule: add a row, raise `RULES_VERSION`, and run tests/transport/test_scrub_rules.py, which tells the digest.
The shapes were written down from what the issuers publish about their keys (named in `source`), none was copied from a
scanner. A pattern begins at its literal, so that a text without the literal costs one search. What stands in the group
`secret`, else all that matches, is the secret.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from pytest_mala.transport.scrub import judging

__all__ = ["RULES", "RULES_VERSION", "Body", "Rule", "digest"]

RULES_VERSION: Final = 1
"""Raised with each change of the table; a cassette's header says by which version it was proven."""

Body = Callable[[int, str], str]
"""Makes `count` characters of an alphabet, the same for the same rule: canaries are random and reproducible."""

_START: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=[0-9;\[]m))"
"""A word begins here: also after an escape of JSON or of a URL, or after a colour of a terminal."""

_END: Final = r"(?![A-Za-z0-9])"
_Q: Final = r"\\*[\"'`]?"
"""A quote, or none, however often it was escaped."""

_IS: Final = rf"{_Q}[ \t]*(?::[ \t]*[A-Za-z_][\w.\[\]| ]{{0,30}})?(?:=>|:=|[:=!]=?|={{3}})[ \t]*{_Q}"
"""What stands between a name and its value, in JSON, YAML, shells and code, with a type in between."""

ALNUM: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
URL64: Final = ALNUM + "-_"
B64: Final = ALNUM + "+/"
UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
HEX: Final = "0123456789abcdef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One shape. `name` is also that of the placeholder: `<github-1>`.

    `literals` (lower case) stand `before` characters behind the place where the pattern begins, `ignore_case` says
    whether the rest of it does not mind case either. `accept` has the last word about what the pattern found.
    `in_binary`: the shape is so special that it is looked for in data that is no text, too. `is_secret` is false for
    what is only replaced because it is of no use; `numbered` tells whether one such thing is told from another.
    `canary` makes a text that this rule finds, and no other.
    """

    name: str
    literals: tuple[str, ...]
    pattern: str
    source: str
    canary: Callable[[Body], str]
    accept: Callable[[str], bool] | None = None
    ignore_case: bool = False
    before: int = 0
    in_binary: bool = True
    is_secret: bool = True
    numbered: bool = True

    def match(self, text: str, at: int) -> tuple[int, int] | None:
        """Where the secret stands whose literal stands at `at`."""
        found = _compiled(self.pattern, ignore_case=self.ignore_case).match(text, max(0, at - self.before))
        if found is None:
            return None
        group = "secret" if "secret" in found.re.groupindex else 0
        if self.accept is not None and not self.accept(found[group]):
            return None
        return found.span(group)

    def planted(self) -> str:
        """The canary, the same each time."""
        return self.canary(self._body)

    def _body(self, count: int, alphabet: str) -> str:
        made = ""
        block = 0
        while len(made) < count:
            made += "".join(
                alphabet[byte % len(alphabet)] for byte in hashlib.sha512(f"{self.name} {block}".encode()).digest()
            )
            block += 1
        return made[:count]


@cache
def _compiled(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    """On use: a replay needs none of them."""
    return re.compile(pattern, re.IGNORECASE if ignore_case else 0)


def _pem(of: Body) -> str:
    lines = [of(256, B64)[at : at + 64] for at in range(0, 256, 64)]
    # in two parts, like the others: no scanner shall take this source for a leak
    return "\n".join(["-----BEGIN RSA " + "PRIVATE KEY-----", *lines, "-----END RSA " + "PRIVATE KEY-----"])


_LINES: Final = r"(?:\\+[nrt]|[\s\"',|>→]|\b\d{1,4}\b)*"
_NAMES: Final = (
    r"(?:password|passwd|passphrase|secret|token|credentials?|cookie|secret[_-]key"
    r"|(?:(?<=api)|(?<=api[_-])|(?<=secret)|(?<=(?:auth|sign)[_-])|(?<=(?:private|signing)[_-])|(?<=encryption[_-]))key)"
)

RULES: Final = (
    Rule(
        name="anthropic",
        literals=("sk-",),
        pattern=r"sk-ant-(?!o[ar]t\d\d-)[A-Za-z0-9_-]{16,}",
        source="Anthropic: API and admin keys, sk-ant-api03-..., sk-ant-admin01-...",
        canary=lambda of: "sk-ant-" + "api03-" + of(93, URL64) + "AA",
    ),
    Rule(
        name="anthropic-oauth",
        literals=("sk-",),
        pattern=r"sk-ant-o[ar]t\d\d-[A-Za-z0-9_-]{16,}",
        source="Anthropic: access and refresh tokens of a login, sk-ant-oat01-..., sk-ant-ort01-...",
        canary=lambda of: "sk-ant-" + "oat01-" + of(93, URL64) + "AA",
    ),
    Rule(
        name="openai",
        literals=("sk-",),
        pattern=_START
        + r"sk-(?!ant-)(?:(?:proj|svcacct|admin|service|None|or-v1)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{32,})",
        source="OpenAI: sk-..., sk-proj-..., sk-svcacct-...; others that took over the form (OpenRouter, DeepSeek)",
        canary=lambda of: "sk-" + "proj-" + of(120, URL64),
    ),
    Rule(
        name="github",
        literals=("gh",),
        pattern=r"gh[pousr]_[A-Za-z0-9]{36,}",
        source="GitHub: personal, OAuth, user-to-server, server-to-server and refresh tokens",
        canary=lambda of: "gh" + "p_" + of(36, ALNUM),
    ),
    Rule(
        name="github-fine-grained",
        literals=("github_pat_",),
        pattern=r"github_pat_[A-Za-z0-9_]{22,}",
        source="GitHub: fine-grained personal tokens",
        canary=lambda of: "github" + "_pat_" + of(22, ALNUM) + "_" + of(59, ALNUM),
    ),
    Rule(
        name="gitlab",
        literals=("gl",),
        pattern=r"gl(?:pat|dt|rt|ptt|cbt|ft|soat|imt|agent|oas)-[A-Za-z0-9_-]{20,}",
        source="GitLab: personal, deploy, runner, trigger, job, feed, SCIM, mail, agent and OAuth tokens",
        canary=lambda of: "gl" + "pat-" + of(20, URL64),
    ),
    Rule(
        name="aws-id",
        literals=("akia", "asia", "abia"),
        pattern=_START + r"A(?:KI|SI|BI)A[A-Z2-7]{16}" + _END,
        source="AWS: ids of access keys (AKIA), of temporary ones (ASIA), of bearer tokens (ABIA)",
        canary=lambda of: "AK" + "IA" + of(16, UPPER),
    ),
    Rule(
        name="aws-secret",
        literals=("secret",),
        pattern=rf"secret[_ -]?access[_ -]?key(?:{_IS}|{_Q}[ \t]+{_Q})"
        r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        source="AWS: a secret access key has no shape but 40 characters of base64; the word before it tells",
        canary=lambda of: "aws_secret_access_key = " + of(40, B64),
        ignore_case=True,
        in_binary=False,
    ),
    Rule(
        name="google",
        literals=("aiza",),
        pattern=_START + r"AIza[A-Za-z0-9_-]{35}" + _END,
        source="Google Cloud: API keys",
        canary=lambda of: "AI" + "za" + of(35, ALNUM),
    ),
    Rule(
        name="google-oauth",
        literals=("ya29.", "gocspx-"),
        pattern=r"ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}",
        source="Google: access tokens and client secrets of OAuth",
        canary=lambda of: "GOC" + "SPX-" + of(28, URL64),
    ),
    Rule(
        name="slack",
        literals=("xox", "xapp-"),
        pattern=r"(?:xox[abcdeoprs][-.]|xapp-\d-)[A-Za-z0-9%-]{10,}",
        source="Slack: tokens of bots, users, apps and sessions",
        canary=lambda of: "xo" + "xb-" + of(12, "123456789") + "-" + of(24, ALNUM),
    ),
    Rule(
        name="slack-webhook",
        literals=("hooks.slack.com/",),
        pattern=r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9/]{24,})",
        source="Slack: incoming webhooks, whose URL is the secret",
        canary=lambda of: "https://hooks.slack." + "com/services/T" + of(44, UPPER),
    ),
    Rule(
        name="npm",
        literals=("npm_",),
        pattern=r"npm_[A-Za-z0-9]{36}" + _END,
        source="npm: access tokens",
        canary=lambda of: "npm" + "_" + of(36, ALNUM),
    ),
    Rule(
        name="pypi",
        literals=("pypi-",),
        pattern=r"pypi-[A-Za-z0-9_-]{50,}",
        source="PyPI: API tokens (macaroons)",
        canary=lambda of: "pypi" + "-AgEIcHlwaS5vcmc" + of(140, URL64),
    ),
    Rule(
        name="stripe",
        literals=("_live_", "_test_"),
        before=2,
        pattern=r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
        source="Stripe: secret and restricted keys",
        canary=lambda of: "sk" + "_live_" + of(24, ALNUM),
    ),
    Rule(
        name="stripe-webhook",
        literals=("whsec_",),
        pattern=r"whsec_[A-Za-z0-9+/]{24,}={0,2}",
        source="Stripe, Standard Webhooks: secrets that sign webhooks",
        canary=lambda of: "wh" + "sec_" + of(32, ALNUM),
    ),
    Rule(
        name="huggingface",
        literals=("hf_",),
        pattern=_START + r"hf_[A-Za-z0-9]{34}" + _END,
        source="Hugging Face: access tokens",
        canary=lambda of: "hf" + "_" + of(34, ALNUM),
    ),
    Rule(
        name="sendgrid",
        literals=("sg.",),
        pattern=_START + r"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}",
        source="SendGrid: API keys",
        canary=lambda of: "S" + "G." + of(22, URL64) + "." + of(43, URL64),
    ),
    Rule(
        name="digitalocean",
        literals=("_v1_",),
        before=3,
        pattern=r"do[por]_v1_[a-f0-9]{64}",
        source="DigitalOcean: personal, OAuth and refresh tokens",
        canary=lambda of: "do" + "p_v1_" + of(64, HEX),
    ),
    Rule(
        name="docker",
        literals=("dckr_",),
        pattern=r"dckr_[po]at_[A-Za-z0-9_-]{20,}",
        source="Docker Hub: access tokens",
        canary=lambda of: "dckr" + "_pat_" + of(27, URL64),
    ),
    Rule(
        name="vault",
        literals=("hv",),
        pattern=_START + r"hv[sbr]\.[A-Za-z0-9_-]{24,}",
        source="HashiCorp Vault: service, batch and recovery tokens",
        canary=lambda of: "hv" + "s." + of(90, URL64),
    ),
    Rule(
        name="azure-storage",
        literals=("accountkey=", "accesskey="),
        pattern=r"(?:Account|Access)Key=(?P<secret>[A-Za-z0-9+/]{40,90}={0,2})",
        source="Azure: keys in connection strings of storage, buses and hubs",
        canary=lambda of: "Account" + "Key=" + of(86, B64) + "==",
        ignore_case=True,
    ),
    Rule(
        name="age",
        literals=("age-secret-key-1",),
        pattern=r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        source="age: identities (C2SP, age.md)",
        canary=lambda of: "AGE-SECRET" + "-KEY-1" + of(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    ),
    Rule(
        name="jwt",
        literals=("eyj",),
        pattern=_START + r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        source="RFC 7519: a signed JSON Web Token, whose parts begin with base64 of `{\"`",
        canary=lambda of: "eyJhbGciOiJIUzI1NiJ9." + "eyJ" + of(40, ALNUM) + "." + of(43, URL64),
    ),
    Rule(
        name="private-key",
        literals=("-----begin ",),
        pattern=r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:[^-]|-(?!----)){1,16384}+-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
        rf"|(?:{_LINES}[A-Za-z0-9+/=]{{24,}}+)++)",
        source="RFC 7468, RFC 9580: private keys as text, also cut off before their end",
        canary=_pem,
        accept=judging.is_key_block,
    ),
    Rule(
        name="bearer",
        literals=("bearer",),
        pattern=_START + r"bearer(?: +|%20|\+|\\u0020)(?P<secret>[A-Za-z0-9._~+/-]{16,}={0,2})",
        source="RFC 6750: `Authorization: Bearer ...`",
        canary=lambda of: "Authorization: Bearer " + of(32, ALNUM),
        accept=judging.is_strong,
        ignore_case=True,
        in_binary=False,
    ),
    Rule(
        name="basic",
        literals=("authorization",),
        pattern=rf"authorization{_Q}[ \t]*[:=][ \t]*{_Q}basic[ \t]+(?P<secret>[A-Za-z0-9+/_-]{{8,}}={{0,2}})",
        source="RFC 7617: `Authorization: Basic ...`, base64 of name and password",
        canary=lambda of: "Authorization: Basic Y2FuYXJ5O" + "nNsZWVwcyBpbiBpdHMgY2FnZQ==",
        accept=judging.is_name_and_password,
        ignore_case=True,
        in_binary=False,
    ),
    Rule(
        name="url-password",
        literals=("://",),
        pattern=r"://[^\s/:@\"'<>`\\]{0,64}:(?P<secret>[^\s/@\"'<>`\\]{3,128})@(?=[A-Za-z0-9\[$])",
        source="RFC 3986: user information in a URL",
        canary=lambda of: "postgres://canary:" + of(12, ALNUM) + "@db.example.org/cage",
        accept=judging.is_real_password,
        in_binary=False,
    ),
    Rule(
        name="assigned",
        literals=("passw", "passphrase", "secret", "token", "key", "credential", "cookie"),
        pattern=rf"{_NAMES}{_IS}"
        r"(?P<secret>[A-Za-z0-9+/_.~@#%^*?|!-]{10,4096}+(?:=[A-Za-z0-9+/_.~@#%^*?|!-]*+){0,3}+)(?![(\[])",
        source="a name that says secret (password, token, api_key ...) and a value with entropy after it",
        canary=lambda of: 'password = "' + of(18, ALNUM) + '"',
        accept=judging.is_random,
        ignore_case=True,
        in_binary=False,
    ),
    Rule(
        name="signature",
        literals=("signature",),
        pattern=rf"signature{_Q}[ \t]*:[ \t]*{_Q}(?P<secret>[A-Za-z0-9+/_-]{{40,}}={{0,2}})",
        source="Anthropic: signatures of thinking blocks; no secrets, but noise that no replay needs",
        canary=lambda of: '"signature": "' + of(120, B64) + '"',
        in_binary=False,
        is_secret=False,
        numbered=False,
    ),
)  # fmt: skip


def digest() -> str:
    """What the table says, as 16 hexadecimal digits: a change of it that forgets `RULES_VERSION` is noticed."""
    text = "\n".join(
        f"{rule.name} {rule.literals} {rule.pattern} {rule.ignore_case} {rule.in_binary}" for rule in RULES
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
