"""Container images by hand: layers as tar archives that are the same bytes for the same files, and images of layers in
the format of `docker save`. Nothing is run, and nothing is asked of a registry.
"""
import hashlib
import io
import json
import os
import platform
import tarfile
from dataclasses import dataclass

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass
class File:
    """What lies at a path of an image: the file `source` of this machine, or `content`, or a link to `link`."""

    source: str = None
    content: bytes = b""
    link: str = None
    mode: int = 0o644


def write_layer(path, files):
    """Write a layer of {path in the image: File}, with the folders above them, root's. No path may lead through a
    symbolic link of a lower layer: the folder would take its place."""
    with tarfile.open(path, "w") as archive:
        for folder in sorted({above for name in files for above in _folders_above(name)}):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for name, file in sorted(files.items()):
            _add(archive, name, file)


def write_image(stream, tags, layers, config):
    """Write an image to a binary stream, which need not be seekable. layers: paths of tar archives, the lowest first;
    config: what a container of it runs, as in a Dockerfile (Entrypoint, Env, ...)."""
    digests = [digest(layer) for layer in layers]
    described = json.dumps({
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()), "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one}" for one in digests]}}).encode()
    name = f"{hashlib.sha256(described).hexdigest()}.json"
    members = [f"{one}.tar" for one in digests]
    manifest = json.dumps([{"Config": name, "RepoTags": tags, "Layers": members}]).encode()
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        _add(archive, "manifest.json", File(content=manifest))
        _add(archive, name, File(content=described))
        for member, layer in zip(members, layers):
            _add(archive, member, File(source=layer))


def digest(path):
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add(archive, name, file):
    info = tarfile.TarInfo(name)
    info.mode = file.mode
    if file.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, file.link
        archive.addfile(info)
    elif file.source is None:
        info.size = len(file.content)
        archive.addfile(info, io.BytesIO(file.content))
    else:
        info.size = os.path.getsize(file.source)
        with open(file.source, "rb") as content:
            archive.addfile(info, content)


def _folders_above(name):
    folder = os.path.dirname(name)
    while folder:
        yield folder
        folder = os.path.dirname(folder)
