#!/usr/bin/env python3
"""Writes tests/data/trust/*.bin from the layouts described in authority/trust/reputation.c and
ledger_record.c, without the code under test: the samples of the unit tests, packed by hand."""
import struct
import sys

NOW = 1700000000


def digest(first=0):
    return bytes([first]) + bytes(15)


def reputation():
    """1,234,567 good tasks of kernel 0 and 42 of kernel 2; a refused and confirmed lie; 20 strikes."""
    faults = [(NOW + 1, 5, 1, 0, -10), (NOW + 2, 5, 1, 2, -40)]
    faults += [(NOW + 3 + i, 10 + i, None, 3, 0) for i in range(20)]
    out = bytes([1]) + bytes(12) + struct.pack(">I", 77) + bytes(16)
    out += struct.pack(">hBBQQQQ", 50, 0, 0, 0, NOW, NOW + 22, 0)
    out += struct.pack(">4Q", NOW + 2, 0, 0, 0)
    out += struct.pack(">4I", 1, 1, 20, len(faults))
    kernels = [("physics_rigid_body", 0, 1234567, 1234567, 0), ("ai_pathfinding", 0, 0, 0, 1),
               ("physics_fluid", 0, 42, 0, 0)]
    out += bytes([len(kernels)])
    for name, n, tasks, audits, confirmed in kernels:
        out += bytes([len(name)]) + name.encode() + struct.pack(">QQQI", n, tasks, audits, confirmed)
    out += bytes([16])
    for at, lease, _, cause, change in faults[-16:]:
        # The unit test blames kernel 1 for strikes too: place 1 in the list above.
        out += struct.pack(">QQQBBh", at, lease, 0, 1, cause, change)
        out += digest(lease) + digest() + digest()
    return out


def entry():
    """FORFEIT of 123,456,789 nd, number 42."""
    key = bytes(range(32))
    session = bytes(range(100, 132))
    out = struct.pack(">BQQBBB", 1, 42, NOW, 5, 4, 1) + key + session
    out += struct.pack(">QQQIQ", 123456789, 0, 777, 0, 4711) + bytes(range(16))
    return out


folder = sys.argv[1] if len(sys.argv) > 1 else "tests/data/trust"
for name, data in (("reputation", reputation()), ("ledger-entry", entry())):
    with open(f"{folder}/{name}.bin", "wb") as file:
        file.write(data)
