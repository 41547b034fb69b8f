"""Every way in which a plugin's run can fail, and what the caller is to be told then.

A way is a piece of shell that ends the run of a Ledger (see lib/ledger.py), or something odd in the place of its
executable. {path} in an expected text stands for the executable.
"""
import os
import re
import shutil
from dataclasses import dataclass, field

from answer import Pattern

TOO_MUCH = (1 << 20) + 1
UNDECIPHERABLE = "netplugin failed but error parsing its diagnostic message "
SILENT = "netplugin failed with no error message: "
UNREADABLE = "failed to unmarshal raw result: "
NO_ADDRESS = "IPAM plugin returned missing IP config"
KILLED = "delegate {path}: no answer within [0-9]+[.][0-9] s, killed"


@dataclass
class Way:
    """What the run does, and the code, message (a regular expression) and details of the answer.

    stderr: what it says there, which is to be passed on.
    """

    sentence: str
    text: str
    code: int = 999
    msg: str = ""
    details: str = ""
    stderr: str = ""
    ipam: dict = field(default_factory=dict)  # further keys of ours for that call

    def error(self, path, version="1.1.0"):
        """The JSON that the caller is to get."""
        msg = self.msg.replace("{path}", re.escape(path))
        found = {"cniVersion": version, "code": self.code, "msg": Pattern(msg)}
        return {**found, "details": self.details} if self.details else found


def say(text, end):
    return f"cat <<'END'\n{text}\nEND\n{end}\n"


def quoted(text):
    """`text` as it stands in a message, ready for a regular expression."""
    return re.escape('"' + text.replace('"', '\\"') + '\\n"')


def garbled(sentence, text, cause):
    """A failed run with this text on stdout that is no error object."""
    return Way(sentence, say(text, "exit 1"), msg=f"{re.escape(UNDECIPHERABLE)}{quoted(text)}: {cause}")


RESULT = '{"cniVersion":"1.1.0","ips":[{"address":"10.50.0.2/24"}]}'
WRONG_KIND = "code must be a number and msg and details strings"

# The run fails; whatever the verb, the caller must be told.
FAILING = [
    Way("an error object", say('{"code":123,"msg":"no","details":"d"}', "exit 1"), 123, "no", "d"),
    Way("an error object with the code of a wrong version", say('{"code":1,"msg":"old"}', "exit 1"), 1, "old"),
    Way("an error object with the code of a wrong environment", say('{"code":4,"msg":"e"}', "exit 1"), 4, "e"),
    Way("an error object with exit code 200", say('{"code":11,"msg":"busy"}', "exit 200"), 11, "busy"),
    Way("an error object with code 0", say('{"code":0,"msg":"zero"}', "exit 1"), 999, "zero"),
    Way("an error object without code", say('{"msg":"bare"}', "exit 1"), 999, "bare"),
    garbled("an error object with a negative code", '{"code":-1,"msg":"m"}', WRONG_KIND),
    garbled("an error object with a code that is text", '{"code":"7","msg":"m"}', WRONG_KIND),
    garbled("an error object with a code beyond every number", '{"code":1e999,"msg":"m"}', ".+"),
    garbled("an error object whose message is a number", '{"code":7,"msg":7}', WRONG_KIND),
    garbled("an array as error object", "[]", ".+"),
    garbled("two documents", '{"code":7,"msg":"a"}{"code":8,"msg":"b"}', ".+"),
    garbled("garbage", "no such luck", ".+"),
    Way("bytes that are no text", "printf '\\377\\000\\376'\nexit 1\n",
        msg=re.escape(UNDECIPHERABLE) + r'"\\xff\\x00\\xfe": .+'),
    Way("100 000 brackets", "head -c 100000 /dev/zero | tr '\\0' '['\nexit 1\n",
        msg=re.escape(UNDECIPHERABLE) + r'"\[{1000}…" \(100000 bytes\): .+'),
    Way("an error object that ends in the middle", "printf '{\"code\":7,\"msg\":\"m'\nexit 1\n",
        msg=re.escape(UNDECIPHERABLE) + ".+: .+"),
    Way("a result with exit code 1", say(RESULT, "exit 1")),
    Way("nothing and exit code 1", "exit 1\n", msg=SILENT + "exit status 1"),
    Way("nothing and exit code 3", "exit 3\n", msg=SILENT + "exit status 3"),
    Way("nothing, killed", "kill -KILL $$\n", msg=SILENT + "signal: killed"),
    Way("nothing, terminated", "kill -TERM $$\n", msg=SILENT + "signal: terminated"),
    Way("a result, terminated then", say(RESULT, "kill -TERM $$")),
    Way("stderr only", "echo sad >&2\nexit 1\n", msg=r'netplugin failed: "sad\\n": exit status 1', stderr="sad\n"),
    Way("stderr only, killed", "echo sad >&2\nkill -KILL $$\n",
        msg=r'netplugin failed: "sad\\n": signal: killed', stderr="sad\n"),
    Way("an error object and stderr", "echo why >&2\n" + say('{"code":5,"msg":"io"}', "exit 1"), 5, "io",
        stderr="why\n"),
    Way("over 1 MiB of output", f"head -c {TOO_MUCH} /dev/zero | tr '\\0' ' '\nexit 0\n",
        msg="delegate {path}: printed more than 1 MiB, killed"),
]

HANGING = Way("no answer", "exec sleep 1000\n", 11, KILLED, ipam={"timeoutSeconds": 3})

# The run ends well, with an answer that nobody can use: an ADD that took a lease is lost then.
UNUSABLE = [
    Way("nothing", "exit 0\n", msg=UNREADABLE + "unexpected end of JSON input"),
    Way("garbage", say("no such luck", "exit 0"), msg=UNREADABLE + ".+"),
    Way("two documents", say(RESULT + RESULT, "exit 0"), msg=UNREADABLE + ".+"),
    Way("an array", say("[]", "exit 0"), msg=UNREADABLE + ".+"),
    Way("null", say("null", "exit 0"), msg=NO_ADDRESS),
    Way("an empty object", say("{}", "exit 0"), msg=NO_ADDRESS),
    Way("a result without addresses", say('{"cniVersion":"1.1.0","ips":[]}', "exit 0"), msg=NO_ADDRESS),
    Way("a result of an unknown version", say(RESULT.replace("1.1.0", "9.9.9"), "exit 0"),
        msg=r'unsupported CNI result version "9\.9\.9"'),
    Way("a result with a null among the addresses", say('{"cniVersion":"1.1.0","ips":[null]}', "exit 0"), msg=".+"),
    Way("a result with something else for an address",
        say('{"cniVersion":"1.1.0","ips":[{"address":"10.50.0.x/24"}]}', "exit 0"), msg=".+"),
    Way("an error object", say('{"code":123,"msg":"no"}', "exit 0"), 999, NO_ADDRESS, "no"),
    Way("100 000 brackets", "head -c 100000 /dev/zero | tr '\\0' '['\nexit 0\n", msg=UNREADABLE + ".+"),
]


def not_executable(path):
    os.chmod(path, 0o644)


def text_in_place(text):
    def install(path):
        os.unlink(path)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o755)

    return install


def folder_in_place(path):
    os.unlink(path)
    os.mkdir(path)


def dangling_link_in_place(path):
    os.unlink(path)
    os.symlink("/none", path)


def fifo_in_place(path):
    os.unlink(path)
    os.mkfifo(path, 0o755)


@dataclass
class Absence:
    """What lies in the executable's place, and the answer's code and message ({folder}: the one that it lies in)."""

    sentence: str
    install: object
    msg: str
    is_found: bool = True

    def error(self, path):
        """The JSON that the caller is to get."""
        msg = self.msg.replace("{path}", re.escape(path)).replace("{folder}", re.escape(os.path.dirname(path)))
        return {"cniVersion": "1.1.0", "code": 999, "msg": Pattern(msg)}


STARTING = SILENT + "fork/exec {path}: "
NOT_FOUND = r'failed to find plugin "ledger" in path \[{folder}\]'

# The plugin never runs.
ABSENT = [
    Absence("a file that is not executable", not_executable, STARTING + "permission denied"),
    Absence("a script of an interpreter that is not there", text_in_place("#!/none/sh\n"),
            STARTING + "(no such file or directory|.*interpreter.*)"),
    Absence("an empty file", text_in_place(""), STARTING + "exec format error"),
    Absence("a text", text_in_place("hello\n"), STARTING + "exec format error"),
    Absence("a cut program", text_in_place("\x7fELF"), STARTING + "exec format error"),
    Absence("a folder", folder_in_place, NOT_FOUND, is_found=False),
    Absence("a link to nothing", dangling_link_in_place, NOT_FOUND, is_found=False),
    Absence("a pipe", fifo_in_place, NOT_FOUND, is_found=False),
    Absence("nothing at all", os.unlink, NOT_FOUND, is_found=False),
]


def take_away(path):
    """Remove whatever lies there."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
