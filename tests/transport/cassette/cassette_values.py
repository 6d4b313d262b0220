"""JSON data to test readers and writers with: what YAML readers are known to stumble over, and anything else."""

from __future__ import annotations

from hypothesis import strategies as st

NASTY = [
    *(
        "",
        " ",
        "\n",
        "\n\n",
        " \n",
        "\n ",
        "\t",
        "a\n",
        "a\n\n",
        "\na",
        " a\nb",
        "\ta\nb",
        "a\n b\n",
        "a \nb",
        "a\r\nb",
        "\x1b[31m\nred",
    ),
    *(
        "no",
        "on",
        "y",
        "NULL",
        "~",
        "1",
        "-1",
        "0x1F",
        "1_000",
        "1e5",
        ".5",
        "1:30",
        "2026-11-24",
        "<<",
        "=",
        "---",
        "...",
        "-",
        "?",
    ),
    *(
        "- a",
        "a: b",
        "a #b",
        "# a",
        "&a",
        "*a",
        "!a",
        "%a",
        "@a",
        "`a",
        "[a",
        "{a",
        "'a",
        '"a',
        "|",
        ">-",
        "\ufeff",
        "\u2028\n\u2029",
    ),
    *(
        "\x00",
        "\x7f",
        "\x85\n",
        "\ufffe",
        "\U0001f600",
        "é\u00a0ü",
        "a\\b\n\x07",
        "x" * 200,
        "word " * 40,
        "One. Two! " * 20,
    ),
]
TEXT = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.lists(st.sampled_from([*NASTY, "a", "The end."]), min_size=2, max_size=6).map("\n".join),
    st.lists(st.sampled_from(["alpha", "beta.", "  ", "-", "#", "a:", "x" * 120, "\t"]), min_size=10, max_size=60).map(
        " ".join
    ),
)
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT)
JSON = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(
            st.one_of(TEXT, st.sampled_from(["type", "frames", "cli", "request", "id"])), inner, max_size=5
        ),
    ),
    max_leaves=20,
)
DOCUMENT = st.dictionaries(TEXT, JSON, max_size=5)
