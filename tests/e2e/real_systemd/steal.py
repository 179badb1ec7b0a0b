"""Tries to get at what another process of the same user holds: steal.py PID. One line for each way, `read` or `refused`."""

import ctypes
import os
import sys

pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)


def fail():
    error = ctypes.get_errno()
    raise OSError(error, os.strerror(error))


def mapped():
    """Where something readable is: a process that hides its memory hides its map as well, so a guess must do then."""
    try:
        for line in open(f"/proc/{pid}/maps"):
            if " rw-p " in line:
                return int(line.split("-")[0], 16)
    except OSError:
        pass
    return int(sys.argv[2], 16) if len(sys.argv) > 2 else 0x10000


def proc_mem():
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        memory.seek(mapped())
        return memory.read(16)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def process_vm_readv():
    # With nothing to copy the kernel still asks whether we may: EPERM is an answer, and so is success.
    buffer = ctypes.create_string_buffer(16)
    local, remote = Iovec(ctypes.addressof(buffer), 16), Iovec(mapped(), 16)
    if libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) < 0:
        if ctypes.get_errno() == 14:  # EFAULT: let in, and nothing is mapped there
            return
        fail()


def ptrace():
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    if libc.ptrace(16, pid, 0, 0) < 0:  # PTRACE_ATTACH
        fail()
    os.waitpid(pid, 0x40000000)  # __WALL
    libc.ptrace(17, pid, 0, 0)  # PTRACE_DETACH


def pidfd_getfd():
    # Its store, its socket and its connections are descriptors. The first of them does for the question whether we may.
    libc.syscall.restype = ctypes.c_long
    descriptor = libc.syscall(438, os.pidfd_open(pid), 0, 0)
    if descriptor < 0:
        fail()
    os.close(descriptor)


def environ():
    with open(f"/proc/{pid}/environ", "rb", 0) as variables:
        variables.read(16)


for way in (proc_mem, process_vm_readv, ptrace, pidfd_getfd, environ):
    try:
        way()
        print(way.__name__, "read")
    except OSError as error:
        print(way.__name__, "refused", error.strerror)
