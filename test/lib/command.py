"""Other people's commands, and files as they are."""
import subprocess

SHOWN = 3000  # characters of each output


def run(*command, **more):
    """What the command prints; AssertionError with its output if it fails. more: of subprocess.run()."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
    assert done.returncode == 0, f"{command}: {done.stdout[-SHOWN:]}{done.stderr[-SHOWN:]}"
    return done.stdout


def content(path):
    """The bytes of a file."""
    with open(path, "rb") as file:
        return file.read()
