"""confine.py PROGRAM ARGUMENTS...: runs a daemon as its unit in packaging/systemd confines it, without systemd.

What a unit's system call filter, address families, capabilities, memory protection and limits allow is all that the
program has. Paths and namespaces are left as they are: scenarios have directories of their own. Called through EKSGATE_WRAP.
"""

import errno
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import seccomp

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
UNIT_OF = {"kubeproxyd": "kubeproxyd@.service", "discoveryd": "discoveryd.service", "bustap": "eksgate-tap.service"}
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000


def settings_of(unit):
    """{setting: its values, in order} of a unit's [Service]."""
    settings = {}
    for line in (UNITS / unit).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            settings.setdefault(key, []).append(value)
    return settings


def read_groups():
    """{group: its members, groups among them}, as systemd has them."""
    text = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout
    groups = {}
    for line in text.splitlines():
        if line.startswith("@"):
            members = groups[line] = []
        elif line.strip() and not line.strip().startswith("#"):
            members.append(line.strip())
    return groups


def expand(name, groups):
    if not name.startswith("@"):
        return {name}
    return set().union(*(expand(member, groups) for member in groups[name]))


def allowed_calls(lines):
    """What lines add, and those that begin with ~ take away, one after the other."""
    groups, allowed = read_groups(), set()
    for line in lines:
        named = set().union(*(expand(name, groups) for name in line.removeprefix("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    # Under every filter: a service has to be executed, and to end.
    return allowed | expand("@default", groups) | {"execve"}


def add(action_filter, action, name, *conditions):
    """Calls that this machine does not have need no rule."""
    try:
        action_filter.add_rule(action, name, *conditions)
    except (RuntimeError, OSError, ValueError):
        pass


def confine_calls(settings):
    denied = seccomp.ERRNO(getattr(errno, settings["SystemCallErrorNumber"][-1]))
    calls = seccomp.SyscallFilter(defaction=denied)
    for name in sorted(allowed_calls(settings["SystemCallFilter"])):
        add(calls, seccomp.ALLOW, name)
    calls.load()


def confine_arguments(settings):
    """Of calls that are allowed as such."""
    refused = seccomp.SyscallFilter(defaction=seccomp.ALLOW)
    families = {int(getattr(socket, name)) for name in settings["RestrictAddressFamilies"][-1].split()}
    for family in set(range(64)) - families:
        add(refused, seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.EQ, family))
    if settings["MemoryDenyWriteExecute"][-1] == "yes":
        both = PROT_WRITE | PROT_EXEC
        eperm = seccomp.ERRNO(errno.EPERM)
        add(refused, eperm, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, both, both))
        for call in ("mprotect", "pkey_mprotect"):
            add(refused, eperm, call, seccomp.Arg(2, seccomp.MASKED_EQ, PROT_EXEC, PROT_EXEC))
        add(refused, eperm, "shmat", seccomp.Arg(2, seccomp.MASKED_EQ, SHM_EXEC, SHM_EXEC))
    refused.load()


def main():
    command = sys.argv[1:]
    settings = settings_of(UNIT_OF[Path(command[0]).name])
    assert settings["CapabilityBoundingSet"] == [""], "this drops all capabilities; the unit keeps some"
    files = int(settings["LimitNOFILE"][-1])
    soft = min(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))
    os.umask(int(settings["UMask"][-1], 8))
    # setpriv sets what the filter then forbids to change, so it is executed first and comes back here.
    if "--confined" not in os.environ.get("EKSGATE_CONFINE", "") and os.getuid() == 0:
        os.environ["EKSGATE_CONFINE"] = "--confined"
        privileges = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        os.execvp("setpriv", ["setpriv", *privileges, "--", sys.executable, __file__, *command])
    os.environ.pop("EKSGATE_CONFINE", None)
    confine_arguments(settings)
    confine_calls(settings)
    os.execv(command[0], command)


main()
