"""Kubernetes' strategic merge patch, for the lists that our patches change: what `kubectl patch` does.

Objects are merged key by key. Lists of the keys below are merged by the member that names an entry there; every other
list is replaced whole. null removes a key. Directives ($patch and the like) are not known, and an error.
Source: the patchMergeKey of the fields in Kubernetes' API types.
"""

MERGE_KEYS = {"containers": "name", "initContainers": "name", "env": "name", "volumes": "name",
              "volumeMounts": "mountPath", "ports": "containerPort"}


def merge(target, patch):
    """The object that results; neither argument is changed. Errors: ValueError for a directive."""
    result = dict(target)
    for key, value in patch.items():
        if key.startswith("$"):
            raise ValueError(f"{key}: directives are not known here")
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        elif key in MERGE_KEYS and isinstance(value, list):
            result[key] = _merge_lists(result.get(key, []), value, MERGE_KEYS[key])
        else:
            result[key] = value
    return result


def _merge_lists(target, patch, name):
    """The entries of target in their order, merged, then the new ones."""
    changes = {entry[name]: entry for entry in patch}
    merged = []
    for entry in target:
        change = changes.pop(entry[name], {})
        # Another kind of volume takes the place of the one that was there.
        merged.append(change if _is_other_volume(entry, change) else merge(entry, change))
    return merged + list(changes.values())


def _is_other_volume(entry, change):
    sources = {"hostPath", "configMap", "emptyDir", "projected", "secret"}
    before, after = sources & entry.keys(), sources & change.keys()
    return bool(before and after and before != after)
