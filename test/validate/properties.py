"""What holds for every correction: it validates clean, there is nothing more to correct in it, and nothing is lost of what
was written, but for the value that is the mistake itself."""
import copy
import json
import os
import random
import tempfile

import corpus
import yaml

# The rules whose correction replaces or takes out what stands at their place, as that is the mistake.
REPLACED = {
    "name-bad", "cni-version-unknown", "ipam-type-typo", "delegate-is-self", "volatile-folder", "data-dir-joined",
    "range-broadcast", "ranges-beside-source", "shared-subnet", "flannel-subnet", "flannel-name-in-delegate",
    "cilium-chaining", "cilium-chaining-name"}
RANGE_KEYS = {"ranges", "subnet", "rangestart", "rangeend", "gateway"}
MUTANTS = int(os.environ.get("MUTANTS", "240"))


def opened(value):
    """The value with documents that stand in texts in their place."""
    if isinstance(value, dict):
        return {key: opened(member) for key, member in value.items()}
    if isinstance(value, list):
        return [opened(member) for member in value]
    if isinstance(value, str) and (value.lstrip().startswith("{") or "\n" in value):
        try:
            inner = yaml.safe_load(value)
        except yaml.YAMLError:
            return value
        return opened(inner) if isinstance(inner, (dict, list)) else value
    return value


def documents(text):
    """All documents of a file; a single one is not in a list."""
    if text.lstrip().startswith("{"):
        return opened(json.loads(text))
    read = [one for one in yaml.safe_load_all(text) if one is not None]
    return opened(read if len(read) > 1 else (read or [{}])[0])


def leaves(value, path=(), nulls=False):
    """(path, scalar) of all that is written; what is null is there only if asked for, what is empty has no scalar."""
    if isinstance(value, (dict, list)) and value:
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in members:
            yield from leaves(member, path + (str(key),), nulls)
    elif value is not None or nulls:
        yield path, "" if isinstance(value, (dict, list)) else value


def words(text):
    """The keys, in small letters, and the scalars of a text."""
    found = list(leaves(documents(text), nulls=True))
    return {key.lower() for path, _ in found for key in path}, {str(value).lower() for _, value in found}


def unpointed(pointer):
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def is_of_ranges(path):
    return bool(RANGE_KEYS & {key.lower() for key in path})


def is_excused(path, found):
    """True for what lies at the place of a mistake that is the value itself."""
    renamed = [unpointed(one["pointer"]) for one in found if one["rule"] == "key-typo"]
    for one in found:
        place = unpointed(one["pointer"])
        if one["severity"] != "error":
            continue
        if one["rule"] == "shared-subnet" and (is_of_ranges(path) or any(path[:len(key)] == key for key in renamed)):
            return True
        is_setting = one["rule"].startswith(("cilium-", "kind-", "yurthub-"))
        if (one["rule"] in REPLACED or is_setting) and path[:len(place)] == place:
            return True
    return False


def loses_nothing(before, after, found):
    keys, scalars = words(after)
    renamed = {unpointed(one["pointer"]) for one in found if one["rule"] in ("key-typo", "dotted-key")}
    for path, scalar in leaves(documents(before)):
        if is_excused(path, found):
            continue
        kept = [key for depth, key in enumerate(path) if not key.isdigit() and path[:depth + 1] not in renamed]
        lost = [key for key in kept if key.lower() not in keys]
        assert not lost, f"key {lost[0]} of {path} is lost in\n{after}"
        assert scalar == "" or str(scalar).lower() in scalars, f"{scalar} of {path} is lost in\n{after}"


def is_right(case):
    """The corrected files of a case: no error in them, nothing more to correct, nothing lost."""
    stdout = case.said.stdout
    if not stdout:
        return
    texts = corpus.split(stdout) if stdout.startswith("==> ") else {case.files[0]: stdout}
    for name, text in texts.items():
        with open(os.path.join(case.folder, name)) as file:
            loses_nothing(file.read(), text, [one for one in case.found if one["file"] == name])
    names, found, again = case.corrected
    corrected = {name for name in names if any(os.path.splitext(name)[0] == stem(one) for one in texts)}
    left = [one for one in found if one["file"] in corrected]
    assert not [one for one in left if one["severity"] == "error"], left
    assert not again, f"corrected once more:\n{again}"


def stem(name):
    return os.path.splitext(os.path.basename(name))[0]


def every_correction(cases):
    for case in cases:
        try:
            is_right(case)
        except AssertionError as error:
            raise AssertionError(f"{case.name}: {error}") from error


class Pairs(list):
    """An object in which a key may be twice."""


def paired(value):
    if isinstance(value, dict):
        return Pairs([key, paired(member)] for key, member in value.items())
    return [paired(member) for member in value] if isinstance(value, list) else value


def text_of(value):
    if isinstance(value, Pairs):
        return "{" + ", ".join(f"{json.dumps(key)}: {text_of(member)}" for key, member in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return json.dumps(value)


def objects(value):
    """All objects with members, the outer ones first."""
    if isinstance(value, Pairs):
        yield from [value] if value else []
        for _, member in value:
            yield from objects(member)
    elif isinstance(value, list):
        for member in value:
            yield from objects(member)


def misspelled(generator, key):
    at = generator.randrange(len(key))
    return generator.choice((
        key[:at] + key[at + 1:], key[:at] + key[at] + key[at:], key + "s", key.rstrip("s"), key.upper(),
        key[:at] + "_" + key[at:], key[:at] + key[at:at + 2][::-1] + key[at + 2:])) or "x"


def mistyped(generator, value):
    return generator.choice(([value], [[value]], Pairs([["subnet", value]]), text_of(value), 7, True, "10.244.1.0/24",
                             "10.244.1.9", [], "x", value[0] if isinstance(value, list) and value else None))


def mutate(generator, document):
    """Misspell, mistype, double or move one member."""
    every = list(objects(document))
    chosen = generator.choice(every)
    member = generator.choice(chosen)
    kind = generator.randrange(8)
    if kind < 3:
        member[0] = misspelled(generator, member[0])
    elif kind < 5:
        member[1] = mistyped(generator, member[1])
    elif kind < 6:
        chosen.append([member[0], copy.deepcopy(mistyped(generator, member[1]))])
    else:
        chosen.remove(member)
        generator.choice(list(objects(document)) or [chosen]).append(member)


def mutants(seed):
    """Right conflists with one to three things wrong in them, as texts."""
    generator = random.Random(seed)
    cases = [case for case in corpus.load("good", "good.json") if case.files[0].endswith(".conflist")]
    for _ in range(MUTANTS):
        case = generator.choice(cases)
        with open(os.path.join(case.folder, case.files[0])) as file:
            document = paired(json.load(file))
        for _ in range(generator.randrange(1, 4)):
            mutate(generator, document)
        yield text_of(document)


def has_twins(text):
    """True when a key is in an object twice, in any letter case: nobody can say what is lost."""
    twins = []

    def look(pairs):
        keys = [key.lower() for key, _ in pairs]
        twins.extend(key for key in keys if keys.count(key) > 1)
        return dict(pairs)
    json.loads(text, object_pairs_hook=look)
    return bool(twins)


def every_mutant(seed):
    corrected = 0
    with tempfile.TemporaryDirectory() as folder:
        for text in mutants(seed):
            with open(f"{folder}/x.conflist", "w") as file:
                file.write(text)
            stdout = corpus.run("x.conflist", cwd=folder)[1]
            if not stdout:
                continue
            corrected += 1
            assert corpus.run("-", stdin=stdout.encode())[0::2][0] == 0, f"not clean:\n{text}\n{stdout}"
            again = corpus.run("-", stdin=stdout.encode())[1]
            assert not again, f"corrected once more:\n{text}\n{again}"
            if not has_twins(text):
                loses_nothing(text, stdout, corpus.findings("x.conflist", cwd=folder))
    assert corrected > MUTANTS // 20, f"only {corrected} of {MUTANTS} were corrected"
    return corrected


def mutated():
    seed = int(os.environ.get("SEED", "20"))
    try:
        every_mutant(seed)
    except AssertionError as error:
        raise AssertionError(f"SEED={seed}: {error}") from error


def run(suite):
    cases = corpus.load("corpus", "expected.json") + corpus.load("good", "good.json")
    suite.run("the corpus: every correction is clean, a fixed point, and loses nothing", every_correction, cases)
    suite.run("right conflists with random mistakes: the same", mutated)
