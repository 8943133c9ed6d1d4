"""Parameter files are plain data: what is read, what is refused, and how much time and memory a file can take at most."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generators.errors import ParameterError
from generators.pipeline.catalog import ROOT, entries, find, read_mapping
from tests.project import environment

MIB = 2**20
NUMBER = "a number must be decimal and finite, without leading zeros, underscores or colons; text must stand in quotes"
WORD = "must be true or false; other words must stand in quotes"
DATE = "a date must stand in quotes"
KEY = "a key must be text, in quotes where YAML reads something else"
BITS = "a decimal number must be one that 64 bits hold in all its digits"
CONTROL = "control characters are not allowed"


def refusal(tmp_path: Path, content: bytes) -> str:
    """What is said of a file, after its name."""
    path = tmp_path / "params.yml"
    path.write_bytes(content)
    with pytest.raises(ParameterError) as refused:
        read_mapping(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12", 12), ("-12", -12), ("+5", 5), ("0", 0), ("9" * 40, 10**40 - 1),
        ("0.25", 0.25), (".5", 0.5), ("5.", 5.0), ("1.5e-3", 0.0015), ("1e3", 1000.0), ("0.30000000000000004", 0.1 + 0.2),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("1/3", "1/3"), ("12 tokens", "12 tokens"), ("1.2.3", "1.2.3"), ("7B", "7B"), ("y", "y"), ("no one", "no one"),
        ("'010'", "010"), ('"yes"', "yes"), ('"2024-01-02"', "2024-01-02"), ('"\\u00e9"', "é"),
        ("|\n  010\n  x\n", "010\nx\n"), (">-\n  two\n  lines\n", "two lines"),
        ("[1, {b: 2}]", [1, {"b": 2}]), ("\n  - 1\n  - b: 2    # said\n", [1, {"b": 2}]),
    ],
)  # fmt: skip
def test_plain_data(tmp_path: Path, written: str, value: Any) -> None:
    """Decimal numbers, truth values, null, text, lists and mappings are read; text may look like a number only in quotes."""
    path = tmp_path / "params.yml"
    path.write_text(f"a: {written}\n", encoding="utf-8")
    read = read_mapping(path)["a"]
    assert (read, type(read)) == (value, type(value))


def test_the_deepest_and_the_most_values_that_are_read(tmp_path: Path) -> None:
    """One more is refused; the file's own mapping is a level and a value, and so is its key."""
    path = tmp_path / "params.yml"
    path.write_text(f"a: {'[' * 99}{']' * 99}\n", encoding="utf-8")
    assert str(read_mapping(path)["a"]) == "[" * 99 + "]" * 99
    path.write_text(f"a: [{'1, ' * 19_997}]\n", encoding="utf-8")
    assert len(read_mapping(path)["a"]) == 19_997  # beside the mapping, its key and the list
    assert refusal(tmp_path, f"a: {'[' * 100}{']' * 100}\n".encode()).endswith("must have at most 100 levels (got more)")
    assert refusal(tmp_path, f"a: [{'1, ' * 19_998}]\n".encode()).endswith("must hold at most 20000 values (got more)")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("010", f"{NUMBER} (got 010)"), ("08", f"{NUMBER} (got 08)"), ("0x1f", f"{NUMBER} (got 0x1f)"),
        ("0o17", f"{NUMBER} (got 0o17)"), ("0b11", f"{NUMBER} (got 0b11)"), ("1_000", f"{NUMBER} (got 1_000)"),
        ("1:30", f"{NUMBER} (got 1:30)"), ("1:30.5", f"{NUMBER} (got 1:30.5)"), ("00.5", f"{NUMBER} (got 00.5)"),
        (".inf", f"{NUMBER} (got .inf)"), (".nan", f"{NUMBER} (got .nan)"), ("1e4000", f"{NUMBER} (got 1e4000)"),
        ("1e-999", f"{BITS} (got 1e-999)"), ("1.0e+400", f"{BITS} (got 1.0e+400)"),
        ("0.12345678901234567890", f"{BITS} (got 0.12345678901234567890)"),
        ("1" * 41, f"a number must have at most 40 digits (got {'1' * 41})"),
        ("9" * 5000, f"a number must have at most 40 digits (got {'9' * 57}...)"),
        ("yes", f"{WORD} (got yes)"), ("No", f"{WORD} (got No)"), ("on", f"{WORD} (got on)"), ("OFF", f"{WORD} (got OFF)"),
        ("2024-01-02", f"{DATE} (got 2024-01-02)"), ("2024-13-45", f"{DATE} (got 2024-13-45)"),
        ("!!int abc", "tags are not allowed (got !!int)"), ("! b", "tags are not allowed (got !)"),
        ("!!python/object/apply:os.system [b]", "tags are not allowed (got !!python/object/apply:os.system)"),
        ("&x 1", "anchors are not allowed (got &x)"), ("*x", "aliases are not allowed (got *x)"),
        ("<<", "merge keys are not allowed (got <<)"), ("=", "an equals sign must stand in quotes (got =)"),
        ('"\\0"', f"{CONTROL} (got U+0000)"), ('"\\L"', f"{CONTROL} (got U+2028)"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_plain(tmp_path: Path, written: str, message: str) -> None:
    """Line, column, rule and value; a long value is cut."""
    assert refusal(tmp_path, f"# said\na:\n  b: {written}\n".encode()) == f"line 3, column 6: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty, it must map entries to fields"),
        (b"# nothing\n", "the file is empty, it must map entries to fields"),
        (b"- 1\n", "must map entries to fields (got a list)"),
        (b"a: [1\n", "line 2, column 1: not valid YAML: did not find expected ',' or ']'"),
        (b"a:\n  b: 1\n  b: 2\n", "line 3, column 3: a key must not stand twice (got b)"),
        (b"a: {}\n---\nb: {}\n", "line 2, column 1: a file must hold one document (got another)"),
        (b"%YAML 1.1\n---\na: 1\n", "line 1, column 1: directives are not allowed (got %YAML)"),
        (b"<<: {a: 1}\n", "line 1, column 1: merge keys are not allowed (got <<)"),
        (b"1: a\n", f"line 1, column 1: {KEY} (got 1)"),
        (b"null: a\n", f"line 1, column 1: {KEY} (got null)"),
        (b"yes: a\n", f"line 1, column 1: {WORD} (got yes)"),
        (b"? [1, 2]\n: 3\n", f"line 1, column 3: {KEY} (got a list or mapping)"),
        (b'"a\\nb": 1\n', "line 1, column 1: a key must be one line of at most 100 characters (got a b)"),
        (b"k" * 101 + b": 1\n", f"line 1, column 1: a key must be one line of at most 100 characters (got {'k' * 57}...)"),
        (b"a: \x07\n", f"line 1, column 4: {CONTROL} (got U+0007)"),
        (b"a: 1\nb: \0\n", f"line 2, column 4: {CONTROL} (got U+0000)"),
        (b"a: 1\nb: \xff\xfe\n", "line 2, column 4: must be text in UTF-8 (got the byte 0xff)"),
        ("a: 1\n".encode("utf-16"), "line 1, column 1: must be text in UTF-8 (got the byte 0xff)"),
        ("a: 1\n".encode("utf-16-le"), f"line 1, column 2: {CONTROL} (got U+0000)"),
    ],
)
def test_a_file_that_is_not_plain(tmp_path: Path, content: bytes, message: str) -> None:
    """The place is named where there is one."""
    assert refusal(tmp_path, content) == message


WORST = {
    "open brackets": (b"[" * MIB, "line 1, column 101: must have at most 100 levels (got more)"),
    "lists of lists": (b"- " * (MIB // 2), "line 1, column 201: must have at most 100 levels (got more)"),
    "a long list": (
        b"a: [" + b"1," * (MIB // 2 - 3) + b"]",
        "line 1, column 39999: a file must hold at most 20000 values (got more)",
    ),
    "many keys": (
        b"".join(b"k%06d:\n" % n for n in range(MIB // 9)),
        "line 10000, column 9: a file must hold at most 20000 values",
    ),
    "aliases of aliases": (
        b"a0: &a0 [x, x]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 99)),
        "line 1, column 5: anchors are not allowed (got &a0)",
    ),
    "directives": (b"".join(b"%%TAG !a%d! b\n" % n for n in range(MIB // 18)), "line 1, column 1: directives are not allowed"),
    "later directives": (b"a: 1\n...\r" + b"%TAG ! b\r" * (MIB // 10), "line 2, column 5: directives are not allowed (got %TAG)"),
    "a long number": (b"a: " + b"1" * (MIB - 3), f"line 1, column 4: a number must have at most 40 digits (got {'1' * 57}...)"),
    "nearly a number": (b"a: " + b"1" * (MIB - 4) + b"x", "read"),
    "nearly a time": (b"a: " + b"1:" * (MIB // 2 - 2) + b"x", "read"),
    "empty lines of text": (b"a: |\n" + b"\n" * (MIB - 5), "read"),
    "long text": (b"a: [" + b", ".join([b"x" * 50] * 19_000) + b"]", "read"),
    "a large file": (b"#" * (MIB + 1), f"must have at most {MIB} bytes (got more)"),
}
"""Files of nearly 1 MiB by what they hold, and what is said of them."""

READ = """
import resource, sys, time
from pathlib import Path
from generators.errors import ParameterError
from generators.pipeline.catalog import read_mapping

resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20, 400 * 2**20))
for path in map(Path, sys.argv[1:]):
    start, said = time.process_time(), "read"
    try:
        read_mapping(path)
    except ParameterError as error:
        said = str(error).removeprefix(f"{path}: ")
    print(time.process_time() - start, said)
"""


def test_the_worst_files_end_soon_and_in_little_memory(tmp_path: Path) -> None:
    """Each in less than 3 s, and all in 400 MiB of addresses, which a file that is held as objects several times would exceed."""
    for number, (content, _) in enumerate(WORST.values()):
        (tmp_path / f"{number:02d}.yml").write_bytes(content)
    command = [sys.executable, "-c", READ, *map(str, sorted(tmp_path.glob("*.yml")))]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    for (name, (_, message)), (seconds, said) in zip(WORST.items(), lines, strict=True):
        assert said.startswith(message), name
        assert float(seconds) < 3, name


def test_two_entries_say_the_same_of_one_table() -> None:
    """The perplexities of 8-bit models stand on two pages."""
    one, other = (entries()[find(f"utaustin/lecture25_{slug}")]["perplexities"] for slug in ("int8", "result_tables"))
    assert one == other
