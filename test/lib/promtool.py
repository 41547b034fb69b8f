"""promtool, Prometheus' own checker of metrics. Run as a script, this does no more than to fetch it."""
import unpacked


def path():
    """Where the program lies. Errors as unpacked.program()."""
    return unpacked.program("promtool", "prometheus")


if __name__ == "__main__":
    unpacked.main(path)
