#!/usr/bin/env python3
"""Writes the man page and the completions of bash, zsh and fish from what the tool's own --help says.

usage: pages.py FOLDER COMMAND...   (COMMAND: the binary, or an emulator and the binary)
The page's date is SOURCE_DATE_EPOCH's, without it none.
"""
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field

NAME = "delegated-ipam"
# "table, json or yaml" at the beginning of an option's text, or behind a colon: all values that it takes.
VALUES = re.compile(r"(?:^|: )((?:[\w-]+, )*[\w-]+ or [\w-]+)")
TAIL = r"""
.SH EXIT STATUS
.TP
.B 0
Everything is fine, or was done.
.TP
.B 1
Something was found: a mistake in a file, a finding on the node, a lost address, a pod that needs the plugin.
.TP
.B 2
The command was not understood, or could not do its work; standard error says what remedies it.
.SH FILES
.TP
.I /var/lib/cni/networks
host-local's folder of networks, which is the plugin's too.
.TP
.I /var/lib/delegated-ipam
Which pod has which address, over reboots.
.TP
.I /etc/cni/net.d
The conflists that name the plugin.
"""


@dataclass
class Entry:
    """A line of a help text: an option's or positional's names, or a command's; what it says."""

    names: list
    text: str
    takes: str = ""  # what stands behind the names

    @property
    def values(self):
        found = VALUES.search(self.text)
        return re.split(r", | or ", found[1]) if found and self.names[0].startswith("-") else []


@dataclass
class Command:
    words: list  # behind the program's name
    about: str = ""
    usage: str = ""
    options: list = field(default_factory=list)
    positionals: list = field(default_factory=list)
    examples: list = field(default_factory=list)
    commands: list = field(default_factory=list)

    @property
    def flags(self):
        return [name for option in self.options for name in option.names]


def main():
    folder, *binary = sys.argv[1:]
    tool = read(binary, [])
    made = {f"{NAME}.8": man_page(tool, version(binary)), "bash": bash(tool), "zsh": zsh(tool), "fish": fish(tool)}
    os.makedirs(folder, exist_ok=True)
    for name, text in made.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)


def version(binary):
    return ask(binary, "--version").split()[3].lstrip("v")


def ask(binary, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CNI_")}
    return subprocess.run([*binary, *arguments], capture_output=True, text=True, check=True, env=environment,
                          stdin=subprocess.DEVNULL).stdout


def read(binary, words):
    """The help of a command and, below it, of its commands. Errors: ValueError for a line that is none of a help's."""
    command, part, about = Command(words), "about", []
    for line in ask(binary, *words, "--help").splitlines():
        if line.startswith("Usage: "):
            command.usage, part = line.removeprefix("Usage: "), ""
        elif re.fullmatch(r"\w+:", line):
            part = line.rstrip(":")
        elif part == "about":
            about.append(line)
        elif part == "Examples":
            command.examples.append(line.strip())
        elif line.strip():
            found = re.fullmatch(r"  (\S+)(.*?)(?:  +(\S.*))?", line)
            if not found or part not in ("Options", "Positionals", "Subcommands"):
                raise ValueError(f"{' '.join(words)} --help: {line!r}")
            entry = Entry(found[1].split(","), found[3] or "", found[2].strip())
            {"Options": command.options, "Positionals": command.positionals,
             "Subcommands": command.commands}[part].append(entry)
    command.about = "\n".join(about)
    command.commands = [(entry, read(binary, [*words, entry.names[0]])) for entry in command.commands]
    return command


def leaves(command):
    """All commands but the tool itself, those with commands of their own first."""
    for _, below in command.commands:
        yield below
        yield from leaves(below)


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def man_page(tool, number):
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    date = time.strftime("%Y-%m-%d", time.gmtime(int(epoch))) if epoch else ""
    lines = [f'.TH DELEGATED\\-IPAM 8 "{roff(date)}" "{NAME} {number}"', ".SH NAME",
             f"{roff(NAME)} \\- {roff(tool.about.splitlines()[0].rstrip('.'))}", ".SH SYNOPSIS"]
    for command in leaves(tool):
        if not command.commands:
            program, *rest = command.usage.split()
            lines += [f".B {roff(' '.join([program, *command.words]))}", roff(" ".join(rest[len(command.words):])),
                      ".br"]
    lines[-1] = ".SH DESCRIPTION"
    lines += [roff(line) for line in tool.about.splitlines()]
    lines += [".SH OPTIONS", *entries(tool.options), ".SH COMMANDS"]
    for command in leaves(tool):
        lines += [f".SS {roff(' '.join(command.words))}", roff(command.about)]
        lines += entries([*command.positionals, *(one for one in command.options if "--help" not in one.names)])
        if command.examples:
            lines += [".PP", "Examples:", ".PP", ".nf", ".RS", *map(roff, command.examples), ".RE", ".fi"]
    return "\n".join(lines) + TAIL


def entries(list_of):
    lines = []
    for entry in list_of:
        takes = f" {roff(entry.takes)}" if entry.takes else ""
        lines += [".TP", ", ".join(f"\\fB{roff(name)}\\fR" for name in entry.names) + takes,
                  roff(entry.text) or "\\&"]
    return lines


def bash(tool):
    """The words behind the program pick a command; then its options, an option's values, or files."""
    lines = [f"# bash completion of {NAME}, made from its --help.", f"_{NAME.replace('-', '_')}() {{",
             "  local command='' words='' values='' word i", "  COMPREPLY=()",
             "  for ((i = 1; i < COMP_CWORD; i++)); do", '    word=${COMP_WORDS[i]}', '    case "$command $word" in']
    known = "|".join(f"'{' '.join(['', *one.words[:-1]]) if one.words[:-1] else ''} {one.words[-1]}'"
                     for one in leaves(tool))
    lines += [f'      {known}) command="$command $word" ;;', "    esac", "  done", '  case "$command" in']
    for command in (tool, *leaves(tool)):
        key = "".join(f" {word}" for word in command.words)
        words = [*(entry.names[0] for entry, _ in command.commands), *command.flags]
        lines.append(f"    '{key}') words='{' '.join(words)}' ;;")
    lines += ["  esac", '  case "$command ${COMP_WORDS[COMP_CWORD-1]}" in']
    for command in leaves(tool):
        key = "".join(f" {word}" for word in command.words)
        for option in command.options:
            if option.values:
                cases = "|".join(f"'{key} {name}'" for name in option.names)
                lines.append(f"    {cases}) values='{' '.join(option.values)}' ;;")
    lines += ["  esac", '  if [ -n "$values" ]; then',
              '    COMPREPLY=($(compgen -W "$values" -- "${COMP_WORDS[COMP_CWORD]}"))',
              "  else", '    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))', "  fi", "}",
              f"complete -o default -F _{NAME.replace('-', '_')} {NAME}", ""]
    return "\n".join(lines)


def quoted(text):
    return "'" + text.replace("'", r"'\''") + "'"


def zsh(tool):
    """A function a command: its commands, or _arguments with its options."""
    lines = [f"#compdef {NAME}", f"# zsh completion of {NAME}, made from its --help."]
    for command in (*leaves(tool), tool):
        name = "_" + "_".join([NAME, *command.words])
        lines += [f"{name}() {{"]
        if command.commands:
            lines += ["  local -a commands", "  commands=("]
            lines += [f"    {quoted(one.names[0] + ':' + one.text.replace(':', ' -'))}" for one, _ in command.commands]
            lines += ["  )", "  if (( CURRENT == 2 )); then", "    _describe command commands",
                      f"    compadd -- {' '.join(command.flags)}", "  else", "    local word=$words[2]", "    shift words",
                      "    (( CURRENT-- ))", f'    (( $+functions[{name}_$word] )) && {name}_$word', "  fi"]
        else:
            lines += ["  _arguments -S \\"]
            for option in command.options:
                text = re.sub(r"([\[\]:])", r"\\\1", option.text)
                values = f":value:({' '.join(option.values)})" if option.values else ""
                lines += [f"    {quoted(f'*{one}[{text}]{values}')} \\" for one in option.names]
            lines += ["    '*:file:_files'"]
        lines += ["}"]
    return "\n".join([*lines, f'_{NAME} "$@"', ""])


def fish(tool):
    lines = [f"# fish completion of {NAME}, made from its --help."]
    for command in (tool, *leaves(tool)):
        seen = [f"__fish_seen_subcommand_from {word}" for word in command.words]
        below = " ".join(entry.names[0] for entry, _ in command.commands)
        own = "; and ".join([*seen, f"not __fish_seen_subcommand_from {below}"] if below else seen)
        for entry, _ in command.commands:
            lines.append(f"complete -c {NAME} -f -n {quoted(own)} -a {entry.names[0]} -d {quoted(entry.text)}")
        for option in command.options:
            names = [f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in option.names]
            values = f" -x -a {quoted(' '.join(option.values))}" if option.values else ""
            lines.append(f"complete -c {NAME} -n {quoted(own)} {' '.join(names)}{values} -d {quoted(option.text)}")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
