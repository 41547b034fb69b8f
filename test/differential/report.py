"""Tells a mismatch so that it can be repeated by hand."""
import shlex

import state as states
from step import agree

DEFAULT_DIR = "/var/lib/cni/networks"


def describe(expected, got):
    """How an answer differs from the expected one, in lines."""
    lines = [f"expected exit {expected.exit}: {expected.doc}", f"got      exit {got.exit}: {got.doc}"]
    return lines + ["folder   " + line for line in states.differences(expected.state, got.state)]


def mismatch(run, world, history, before, problem):
    """What is wrong, the shell commands that make the folder and repeat the step, and what came before it.

    `history` has the (step, answer of the Go plugin, our answer) of the world, the wrong one last; `before` is the
    data folder before that step.
    """
    step, side = history[-1][0], run.ours
    lines = [f"step {run.steps}, world {world.number} ({world.placement} dataDir): {problem}", "to repeat:"]
    lines += states.as_shell(of_network(before, step.network), side.data(world))
    lines.append(f"mkdir -p {side.folder} && cd {side.folder}")
    if world.placement == "default":
        lines.append(f"ln -sfn {side.data(world)} {DEFAULT_DIR}")
    lines.append(as_shell(step, side, world))
    lines.append("the commands since this folder was made:")
    lines += [summary(*entry) for entry in history if entry[0].network == step.network]
    return "\n".join(lines)


def of_network(found, network):
    """The part of a snapshot that matters to a network: its folder and, if that is a link, what it leads to."""
    tops = {network, found.get(network, ("dir",))[-1]}
    return {path: value for path, value in found.items() if path.split("/")[0] in tops}


def as_shell(step, side, world):
    variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in step.environment().items())
    return f"env -i {variables} {side.binary} <<< {shlex.quote(side.stdin(step, world))}"


def summary(step, reference, got):
    """One line about a step that was taken: damage, command, attachment, configuration, answers."""
    damage = "".join(f" [{path} := {states.shortened(value)}]" for path, value in step.damage)
    extra = f" CNI_ARGS={step.args!r}" if step.args else ""
    answers = f"{reference.exit} {reference.doc}"
    if not agree(reference, got):
        answers += f" | ours {got.exit} {got.doc}"
    return f"{damage} {step.command} {step.container[:12]}/{step.ifname}{extra} {step.conf} -> {answers}"
