"""What an attachment goes through in its life, checked step by step, for any delegate and any main plugin."""
from plugin import Outcome

CHECKED_SINCE = "0.4.0"  # older versions of the specification have no CHECK
WITHOUT_LIST = ("0.1.0", "0.2.0")  # their results have ip4 and ip6 instead of a list `ips`


def live(scene, pod, version):
    """ADD, the same ADD again, and CHECK. The pod's link has the address that was answered."""
    done = scene.must("ADD", pod, version=version)
    assert done.json["cniVersion"] == version, done.stdout
    assert pod.addresses() == done.addresses and done.addresses, f"{pod.addresses()} on the link, {done.addresses}"
    assert repeated(scene, pod, version).addresses == done.addresses
    if version >= CHECKED_SINCE:
        scene.must("CHECK", pod, version=version, previous=done.json)


def repeated(scene, pod, version) -> Outcome:
    """The IPAM part of an ADD that was acknowledged, two times: the same answer, byte for byte."""
    first, second = (scene.must("ADD", pod, direct=True, version=version) for _ in range(2))
    assert first.stdout == second.stdout, f"{first.stdout} {second.stdout}"
    assert first.json["cniVersion"] == version, first.stdout
    return first


def delete_twice(scene, pod, version):
    """The second DEL succeeds as well, and the link is gone."""
    for _ in range(2):
        assert scene.must("DEL", pod, version=version).stdout == ""
    assert pod.addresses() == []


def live_without_main_plugin(scene, pod, version):
    """A caller of a version that Debian's main plugins do not know, from ADD to the second DEL."""
    done = scene.must("ADD", pod, direct=True, version=version)
    assert done.json["cniVersion"] == version and len(done.addresses) == 1, done.stdout
    keys = {"ip4"} if version in WITHOUT_LIST else {"ips"}
    assert done.json.keys() & {"ip4", "ips"} == keys, done.stdout
    assert repeated(scene, pod, version).stdout == done.stdout
    if version >= CHECKED_SINCE:
        scene.must("CHECK", pod, direct=True, version=version, previous=done.json)
    for _ in range(2):
        assert scene.must("DEL", pod, direct=True, version=version).stdout == ""


def refuse_unknown_version(scene, pod):
    """ADD in a version of the specification that is not there yet."""
    done = scene.call("ADD", pod, direct=True, version="9.9.9")
    assert done.exit == 1 and done.json["code"] == 1, done
