"""Runs the operator's tool: arguments in, exit code and text out."""
import os

import plugin

FINE, FOUND, USAGE = 0, 1, 2


def call(*arguments, stdin="", env=None, binary=None, wrapper=(), timeout=60):
    """Run it once; returns a plugin.Outcome. env: more variables than PATH."""
    environment = {"PATH": os.environ["PATH"], **(env or {})}
    return plugin.run(binary or plugin.BINARY, environment, stdin, timeout=timeout, wrapper=wrapper, arguments=arguments)


def must(*arguments, **more):
    """Run it, and return what it printed. Errors: AssertionError unless it ends well and is silent on stderr."""
    done = call(*arguments, **more)
    assert done.exit == FINE and not done.stderr, done
    return done.stdout


def refused(*arguments, **more):
    """Run what must not work; returns the one line that says why. Errors: AssertionError when it prints more."""
    done = call(*arguments, **more)
    assert done.exit == USAGE and not done.stdout, done
    line, = done.stderr.splitlines()
    return line
