#!/usr/bin/env python3
"""Makes the packages of one architecture from the files that `cmake --install` has put under STAGE/usr: a Debian
package, a flat tarball for /opt/cni/bin, and an SBOM, each with its sums beside it. The same input gives the same bytes,
whoever makes them, when and where.

usage: package.py STAGE BUILD OUT VERSION ARCHITECTURE EPOCH    (as cpack calls it; prints what it has made)
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time

sys.dont_write_bytecode = True
import sbom

NAME = "delegated-ipam"
HERE = os.path.dirname(os.path.abspath(__file__))
EXECUTABLES = ("usr/lib/cni/delegated-ipam", "DEBIAN/postinst", "DEBIAN/prerm", "DEBIAN/postrm")


def main():
    stage, build, out, version, architecture, epoch = sys.argv[1:]
    os.umask(0o022)
    os.environ.update(SOURCE_DATE_EPOCH=epoch, LC_ALL="C.UTF-8", TZ="UTC")
    os.makedirs(out, exist_ok=True)
    check_version(build, version)
    document = json.dumps(sbom.document(build, version, architecture), indent=1) + "\n"
    notices = copyright_text(build)
    made = [write(os.path.join(out, f"{NAME}_{version}_{architecture}.spdx.json"), document.encode()),
            tarball(stage, out, version, architecture, int(epoch), notices),
            debian_package(stage, out, version, architecture, int(epoch), notices, document)]
    for path in made:
        with open(path, "rb") as file:
            content = file.read()
        for kind in ("sha256", "sha512"):
            text = f"{hashlib.new(kind, content).hexdigest()}  {os.path.basename(path)}\n"
            write(f"{path}.{kind}", text.encode())
        print(f"{path} {len(content)} bytes")


def check_version(build, version):
    """The executable says the version that its package has."""
    path = os.path.join(build, NAME)
    with open(path, "rb") as file:
        told = f"CNI delegated-ipam plugin v{version.partition('~')[0].partition('+')[0]}\n".encode()
        if told not in file.read():
            sys.exit(f"package.py: {path} is not of version {version}: build it again")


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o644)
    return path


def copyright_text(build):
    """Our licence, and the notices of all that is linked in, as their licences ask."""
    parts = ["delegated-ipam is licensed under the Apache License 2.0, which stands on Debian systems in\n"
             "/usr/share/common-licenses/Apache-2.0. The executable contains code of the packages below.\n"]
    for one in sbom.components(build):
        with open(f"/usr/share/doc/{one.package}/copyright", encoding="utf-8") as file:
            parts.append(f"{'=' * 78}\n{one.package} {one.version} ({one.licence})\n{'=' * 78}\n{file.read()}")
    return "\n".join(parts)


def tarball(stage, out, version, architecture, epoch, notices):
    """Named and laid out as the reference plugins' are: it is unpacked into the plugin folder."""
    path = os.path.join(out, f"{NAME}-linux-{'arm' if architecture == 'armhf' else architecture}-v{version}.tgz")
    with open(os.path.join(stage, "usr/lib/cni", NAME), "rb") as file:
        executable = file.read()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, mode, content in ((f"./{NAME}", 0o755, executable), (f"./{NAME}.copyright", 0o644, notices.encode())):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), mode, epoch
            member.uname = member.gname = "root"
            tar.addfile(member, io.BytesIO(content))
    return write(path, gzip.compress(packed.getvalue(), 9, mtime=0))


def debian_package(stage, out, version, architecture, epoch, notices, document):
    root = os.path.join(stage, "debian-package")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(os.path.join(stage, "usr"), os.path.join(root, "usr"), symlinks=True)
    documents = os.path.join(root, "usr/share/doc", NAME)
    os.unlink(os.path.join(documents, "LICENSE"))  # common-licenses has it
    write(os.path.join(documents, "copyright"), notices.encode())
    write(os.path.join(documents, f"{NAME}.spdx.json"), document.encode())
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(epoch))
    change = (f"{NAME} ({version}) unstable; urgency=medium\n\n  * What is new stands in the tag's own text.\n\n"
              f" -- The delegated-ipam maintainers <nobody@invalid>  {date}\n")
    write(os.path.join(documents, "changelog.gz"), gzip.compress(change.encode(), 9, mtime=0))
    page = os.path.join(root, f"usr/share/man/man8/{NAME}.8")
    with open(page, "rb") as file:
        write(f"{page}.gz", gzip.compress(file.read(), 9, mtime=0))
    os.unlink(page)

    os.makedirs(os.path.join(root, "DEBIAN"))
    sums, size = [], 0
    for path in files(os.path.join(root, "usr")):
        size += (os.lstat(path).st_size + 1023) // 1024
        if not os.path.islink(path):
            with open(path, "rb") as file:
                sums.append(f"{hashlib.md5(file.read()).hexdigest()}  {os.path.relpath(path, root)}\n")
    write(os.path.join(root, "DEBIAN/md5sums"), "".join(sums).encode())
    for name in ("control", "postinst", "prerm", "postrm"):
        with open(os.path.join(HERE, "debian", name)) as file:
            text = file.read()
        for key, value in (("VERSION", version), ("ARCHITECTURE", architecture), ("SIZE", str(size))):
            text = text.replace(f"@{key}@", value)
        write(os.path.join(root, "DEBIAN", name), text.encode())
    settle(root, epoch)
    path = os.path.join(out, f"{NAME}_{version}_{architecture}.deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", root, path], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(root)
    return path


def files(folder):
    """All that is no folder, in the order of names."""
    return sorted(os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)


def settle(root, epoch):
    """Modes and times that say nothing of who has put the files there, and when."""
    for place, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = os.path.join(place, name)
            if not os.path.islink(path):
                run = os.path.isdir(path) or os.path.relpath(path, root) in EXECUTABLES
                os.chmod(path, 0o755 if run else 0o644)
            os.utime(path, (epoch, epoch), follow_symlinks=False)
    os.chmod(root, stat.S_IRWXU | 0o055)
    os.utime(root, (epoch, epoch))


if __name__ == "__main__":
    main()
