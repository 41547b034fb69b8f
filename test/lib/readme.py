"""The code blocks of a guide in Markdown: those between ``` fences.

The word behind the fence says what a block is: `sh` is what the reader types, a `text` behind it what that prints
(`...` stands for anything), `json`, `toml` and `yaml` are files.
"""
import re
import textwrap
from dataclasses import dataclass

_FENCE = re.compile(r"^(?P<indent>\s*)```(?P<kind>\w*)\s*$")


@dataclass
class Block:
    """kind: the word behind the fence. line: the number of its first line of text. text: ends with a newline."""

    kind: str
    line: int
    text: str


def blocks(path):
    """The blocks of a file, in order. Errors: ValueError when a fence is not closed or names no kind."""
    found, inside, lines, start = [], None, [], 0
    with open(path) as file:
        for number, line in enumerate(file, 1):
            fence = _FENCE.match(line)
            if fence and inside is None:
                inside, lines, start = fence["kind"], [], number + 1
                if not inside:
                    raise ValueError(f"{path}:{number}: a block without a kind")
            elif fence:
                found.append(Block(inside, start, textwrap.dedent("".join(lines))))
                inside = None
            elif inside is not None:
                lines.append(line)
    if inside is not None:
        raise ValueError(f"{path}:{start - 1}: this block does not end")
    return found


def matches(expected, actual):
    """True when a `text` block is what a command printed; blanks at the ends of lines do not count."""
    pattern = ".*".join(re.escape(part) for part in _stripped(expected).split("..."))
    return re.fullmatch(pattern, _stripped(actual), re.DOTALL) is not None


def _stripped(text):
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
