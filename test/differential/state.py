"""The contents of a data folder as a value: what lies under which name, byte for byte.

A snapshot maps paths relative to the folder to ("file", bytes), ("dir",) or ("link", target). Modes, owners and times
are not part of it. Symbolic links are never followed.
"""
import base64
import gzip
import os
import shlex
import shutil


def snapshot(folder):
    """Everything below this folder; nothing when the folder does not exist."""
    found = {}
    for top, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(top, name)
            found[os.path.relpath(path, folder)] = entry(path)
    return found


def entry(path):
    if os.path.islink(path):
        return ("link", os.readlink(path))
    if os.path.isdir(path):
        return ("dir",)
    with open(path, "rb") as file:
        return ("file", file.read())


def essence(found):
    """A snapshot without what does not count: empty lock files, and the network folders themselves."""
    return {
        path: value
        for path, value in found.items()
        if not (value == ("dir",) and "/" not in path) and not (path.endswith("/lock") and value == ("file", b""))
    }


def clear(folder):
    for name in os.listdir(folder):
        remove(os.path.join(folder, name))


def restore(folder, found):
    """Make the contents of this folder those of the snapshot."""
    clear(folder)
    for path in sorted(found):
        make(os.path.join(folder, path), found[path])


def make(path, value):
    """Put one entry there, over whatever lies there; missing parents are made."""
    remove(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if value[0] == "dir":
        os.mkdir(path)
    elif value[0] == "link":
        os.symlink(value[1], path)
    else:
        with open(path, "wb") as file:
            file.write(value[1])


def remove(path):
    """Remove what lies there, whatever it is; nothing there is fine."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def as_shell(found, folder):
    """Shell commands that make this snapshot in an empty folder."""
    lines = [f"mkdir -p {folder}"]
    for path in sorted(found):
        value, target = found[path], f"{folder}/{path}"
        if value[0] == "dir":
            lines.append(f"mkdir -p {target}")
        elif value[0] == "link":
            lines.append(f"ln -s {shlex.quote(value[1])} {target}")
        else:
            lines.append(f"{printing(value[1])} > {target}")
    return lines


def printing(content):
    """A shell command that prints these bytes."""
    if len(content) > 400:
        return f"base64 -d <<< {base64.b64encode(gzip.compress(content)).decode()} | gunzip"
    plain = set(range(33, 127)) - set(b"'\\%")
    text = "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in content)
    return f"printf '{text}'"


def differences(left, right):
    """The paths whose entries differ, with both entries, one a line."""
    paths = sorted(path for path in left.keys() | right.keys() if left.get(path) != right.get(path))
    return [f"{path}: {shortened(left.get(path))} != {shortened(right.get(path))}" for path in paths]


def shortened(value):
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:90]} ... {text[-90:]}"
