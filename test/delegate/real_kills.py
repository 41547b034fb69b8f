"""Three ways in which an ADD under a main plugin dies while its delegate is at work, each up to the runtime's DEL.

where: "before" or "after" the delegate has the lease, see RealNode.gate().
"""
import os
import signal

from real_node import ended, stopped


def kill_ours(scene, pod, where):
    """SIGKILL to the product while the delegate is at the gate; the main plugin ends, and the runtime sends DEL."""
    path, pids = scene.gate(where)
    chain = scene.start("ADD", pod, path=path)
    delegate, ours = stopped(pids)
    os.kill(ours, signal.SIGKILL)
    ended(delegate)
    done = chain.finish()
    assert done.exit == 1 and done.json["msg"].startswith("netplugin failed"), f"exit {done.exit}: {done.stdout}"
    scene.must("DEL", pod)


def kill_main(scene, pod, where):
    """SIGKILL to the main plugin; the runtime's DEL is answered, and only then the delegate goes on."""
    path, pids = scene.gate(where)
    chain = scene.start("ADD", pod, path=path)
    delegate, ours = stopped(pids)
    chain.kill()
    scene.must("DEL", pod)
    os.kill(delegate, signal.SIGCONT)
    ended(ours)


def kill_main_first_lease(scene, pod, where):
    """The same, but the delegate goes on before the runtime's DEL."""
    path, pids = scene.gate(where)
    chain = scene.start("ADD", pod, path=path)
    delegate, ours = stopped(pids)
    chain.kill()
    os.kill(delegate, signal.SIGCONT)
    ended(ours)
    scene.must("DEL", pod)


KILLS = {
    kill_ours: "killed while it runs",
    kill_main: "orphaned, going on after the runtime's DEL",
    kill_main_first_lease: "orphaned, going on before the runtime's DEL",
}
