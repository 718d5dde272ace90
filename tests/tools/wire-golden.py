#!/usr/bin/env python3
"""Writes the golden messages of tests/data/wire and the seeds of the fuzz target `wire`.

A second implementation, made from the msgpack specification and doc/wire.md alone: it shares no
code with src/wire. It is run by hand when a message changes; the tests only read what it wrote.

    wire-golden.py tests/data/wire tests/data/fuzz/wire
"""
import hashlib
import os
import struct
import sys


# ---- msgpack, shortest forms ---------------------------------------------------------------------
def pack_uint(v):
    if v < 0x80:
        return bytes([v])
    for head, code, limit in ((0xCC, ">B", 1 << 8), (0xCD, ">H", 1 << 16), (0xCE, ">I", 1 << 32)):
        if v < limit:
            return bytes([head]) + struct.pack(code, v)
    return b"\xcf" + struct.pack(">Q", v)


def pack_int(v):
    if v >= 0:
        return pack_uint(v)
    if v >= -32:
        return struct.pack(">b", v)
    for head, code, limit in ((0xD0, ">b", 1 << 7), (0xD1, ">h", 1 << 15), (0xD2, ">i", 1 << 31)):
        if v >= -limit:
            return bytes([head]) + struct.pack(code, v)
    return b"\xd3" + struct.pack(">q", v)


def pack_bin(b):
    if len(b) < 1 << 8:
        return b"\xc4" + struct.pack(">B", len(b)) + b
    if len(b) < 1 << 16:
        return b"\xc5" + struct.pack(">H", len(b)) + b
    return b"\xc6" + struct.pack(">I", len(b)) + b


def pack_str(s):
    b = s.encode()
    return (bytes([0xA0 | len(b)]) if len(b) < 32 else b"\xd9" + bytes([len(b)])) + b


def pack_array(items):
    n = len(items)
    head = bytes([0x90 | n]) if n < 16 else b"\xdc" + struct.pack(">H", n)
    return head + b"".join(items)


# ---- what is printed -----------------------------------------------------------------------------
def show_bin(b):
    return "%d:%s%s" % (len(b), b[:8].hex(), ".." if len(b) > 8 else "")


def show_id(b):
    check = hashlib.blake2b(b"p2c2r id check\0" + b, digest_size=16).digest()[:3]
    bits = int.from_bytes(b + check, "big")
    return "".join("0123456789abcdefghjkmnpqrstvwxyz"[bits >> 5 * (55 - i) & 31] for i in range(56))


def show_list(shown):
    more = " and %d more" % (len(shown) - 4) if len(shown) > 4 else ""
    return "[" + " ".join(shown[:4]) + more + "]"


# ---- fields: (name, packed, printed) -------------------------------------------------------------
def uint(name, v):
    return name, pack_uint(v), str(v)


def sint(name, v):
    return name, pack_int(v), str(v)


def flag(name, v):
    return name, b"\xc3" if v else b"\xc2", "true" if v else "false"


def enum(name, number, word):
    return name, pack_uint(number), word


def raw(name, b):
    return name, pack_bin(b), show_bin(b)


def secret(name, b):
    return name, pack_bin(b), "%d:secret" % len(b)


def text(name, s):
    return name, pack_str(s), '"%s"' % s.replace("\\", "\\\\").replace('"', '\\"')


def fixed(name, b):
    return name, pack_bin(b), b.hex()


def node(name, b):
    return name, pack_bin(b), show_id(b)


def numbers(name, values):
    return name, pack_array([pack_uint(v) for v in values]), show_list([str(v) for v in values])


def record(fields):
    return pack_array([f[1] for f in fields]), " ".join("%s=%s" % (f[0], f[2]) for f in fields)


def group(name, rows):
    done = [record(r) for r in rows]
    return name, pack_array([d[0] for d in done]), show_list(["{" + d[1] + "}" for d in done])


# ---- the messages --------------------------------------------------------------------------------
U16, U32, U64, I63 = 2**16 - 1, 2**32 - 1, 2**64 - 1, 2**63 - 1
KEY_A = bytes(range(32))
KEY_B = bytes(range(255, 223, -1))
NAME64 = "ж" * 32  # 64 bytes


def hello(agent, owner, cores, slots, cache, price, nonce, token, kernels):
    return [uint("protocol", 1), node("node", KEY_A), text("agent", agent), text("owner", owner),
            uint("cores", cores), uint("slots", slots), uint("cache_bytes", cache),
            uint("price", price), uint("puzzle_nonce", nonce), secret("token", token),
            group("kernels", [[text("name", n), uint("version", v), fixed("digest", d)]
                              for n, v, d in kernels])]


def lease(id, kernel, version, flags, budget, output, blobs, data):
    return [uint("id", id), uint("kernel", kernel), uint("version", version), uint("flags", flags),
            uint("budget_us", budget), uint("output_max", output), numbers("blobs", blobs),
            raw("input", data)]


def frame(number, version, base, applied, durable, depth, reason, tiers, times, camera, deltas, tiles):
    return [uint("number", number), uint("state_version", version), uint("base_version", base),
            uint("applied_input", applied), uint("durable_input", durable), uint("depth", depth),
            enum("reason", *reason), numbers("tiers", tiers), uint("queue_us", times[0]),
            uint("compute_us", times[1]), uint("merge_us", times[2]), raw("camera", camera),
            group("deltas", [[enum("kind", *k), uint("key", key), enum("codec", *c), raw("data", d)]
                             for k, key, c, d in deltas]),
            group("tiles", [[uint("index", i), enum("tier", *t), uint("age", a), enum("codec", *c),
                             raw("data", d)] for i, t, a, c, d in tiles])]


RAW, ZSTD = (0, "RAW"), (1, "ZSTD")
MESSAGES = [
    (1, "HELLO", [
        hello("", "", 1, 1, 0, 0, 0, b"", [("compress", 1, bytes(16))]),
        hello("p2c2rd 0.1.0", "ada@example", 8, 64, 1 << 30, 41667, U64, bytes(range(32)),
              [("physics_rigid_body", 1, bytes(range(16))), ("ai_pathfinding", 3, b"\xff" * 16),
               ("rt_render_tile", 2, bytes(16)), ("x" * 31, U32, b"\x80" * 16),
               ("compress", 200, b"0123456789abcdef")])]),
    (2, "ACCEPT", [
        [uint("protocol", 1), uint("kernels", 0b10111), uint("window", 256),
         uint("cache_bytes", 64 << 20), enum("mode", 0, "POINTS"), uint("price", 41667),
         uint("ping_ms", 5000), uint("receipt", 0)],
        [uint("protocol", U16), uint("kernels", 2**24 - 1), uint("window", 4096),
         uint("cache_bytes", 1 << 40), enum("mode", 1, "FUNDED"), uint("price", 3600000000),
         uint("ping_ms", 600000), uint("receipt", U64)]]),
    (3, "LEASE", [
        lease(1, 0, 1, 0, 1, 0, [], b""),
        lease(1 << 33, 23, U32, 3, 10000000, 1 << 20, list(range(100, 164)), bytes(range(256)) * 2),
        lease(300, 2, 1, 2, 33000, 65536, [5, 200], b"abc")]),
    (4, "CANCEL", [[uint("id", 1)], [uint("id", U64)]]),
    (5, "RESULT", [
        [uint("id", 128), enum("status", 0, "OK"), enum("codec", *RAW), uint("exec_us", 913),
         raw("output", bytes(range(64)))],
        [uint("id", U64), enum("status", 11, "UNPAID"), enum("codec", *ZSTD), uint("exec_us", U32),
         raw("output", b"")]]),
    (6, "BLOB", [
        [uint("handle", 0), raw("data", b"")],
        [uint("handle", U32), raw("data", bytes(i * 7 & 255 for i in range(1000)))]]),
    (7, "BLOB_DROP", [[numbers("handles", [0])], [numbers("handles", list(range(0, 64 * 999, 999)))]]),
    (8, "PING", [[uint("nonce", 0)], [uint("nonce", 0x0123456789ABCDEF)]]),
    (9, "PONG", [[uint("nonce", 255)], [uint("nonce", U64)]]),
    (10, "RECEIPT", [
        [raw("statement", b"\x9a"), fixed("signature", bytes(64))],
        [raw("statement", bytes(range(256))), fixed("signature", bytes(range(64, 128)))]]),
    (11, "DRAIN", [
        [enum("reason", 0, "SHUTDOWN"), uint("deadline_ms", 0)],
        [enum("reason", 4, "DISTRUST"), uint("deadline_ms", 600000)]]),
    (12, "DENIED", [
        [enum("reason", 0, "TASK_DATA_ONLY"), text("text", "you only get task data"), uint("retry_s", 0)],
        [enum("reason", 11, "STRIKES"), text("text", 'a "quoted" back\\slash, 日本語'),
         uint("retry_s", U32)]]),
    (13, "BLOB_HELD", [[numbers("handles", [7])], [numbers("handles", [1, 128, 256, 65536, U32])]]),
    (14, "OFFER", [
        [enum("pause", 0, "NONE"), uint("cores", 4), uint("slots", 32), uint("share_ppk", 1000)],
        [enum("pause", 2, "BATTERY"), uint("cores", 0), uint("slots", 0), uint("share_ppk", 0)]]),
    (15, "FAULT", [
        [uint("id", 9), uint("kernel", 1), uint("version", 2), uint("forfeited_nd", 0),
         fixed("input_digest", KEY_A), fixed("expected_digest", KEY_B), raw("input", b"")],
        [uint("id", U64), uint("kernel", 23), uint("version", U32), uint("forfeited_nd", I63),
         fixed("input_digest", KEY_B), fixed("expected_digest", KEY_A), raw("input", b"x" * 300)]]),
    (32, "JOIN", [
        [uint("protocol", 1), node("node", KEY_B), fixed("session", bytes(range(16))),
         secret("proof", KEY_A), text("agent", "p2c2r 0.1.0"), text("name", "Zoë"),
         enum("view", 1, "PIXELS"), uint("width", 640), uint("height", 360)],
        [uint("protocol", U16), node("node", b"\xff" * 31 + b"\x7f"), fixed("session", b"\xee" * 16),
         secret("proof", b"\x11" * 32), text("agent", ""), text("name", NAME64),
         enum("view", 0, "STATE"), uint("width", 1), uint("height", 7680)]]),
    (33, "WELCOME", [
        [uint("protocol", 1), uint("seat", 0), uint("seats", 1), flag("is_resumed", False),
         text("game", "lantern"), uint("game_version", 1), uint("scene_version", 1),
         uint("tick_hz", 60), uint("frame", 0), uint("next_input", 1), enum("view", 1, "PIXELS"),
         uint("width", 640), uint("height", 360), uint("tile_width", 64), uint("tile_height", 60),
         raw("palette", b"")],
        [uint("protocol", U16), uint("seat", 63), uint("seats", 64), flag("is_resumed", True),
         text("game", NAME64), uint("game_version", U32), uint("scene_version", U16),
         uint("tick_hz", 240), uint("frame", U64), uint("next_input", U32), enum("view", 0, "STATE"),
         uint("width", 7680), uint("height", 7680), uint("tile_width", 1), uint("tile_height", 1),
         raw("palette", bytes(range(256)) * 3)]]),
    (34, "INPUT", [
        [uint("sequence", 1), uint("seen_frame", 0), raw("data", b"")],
        [uint("sequence", U32), uint("seen_frame", U64), raw("data", bytes(range(64)))]]),
    (35, "FRAME", [
        frame(0, 0, 0, 0, 0, 1, (0, "NONE"), [0] * 5, (0, 0, 0), b"", [], []),
        frame(100000, 99999, 99990, 5000, 4990, 3, (2, "HELPER_LATE"), [58, 2, 0, 128, U16],
              (8000, 21000, 900), bytes(range(28)),
              [((0, "CHUNK"), 17, ZSTD, b"\x28\xb5\x2f\xfd"), ((1, "ENTITIES"), 0, RAW, b"e" * 40),
               ((2, "LIGHTS"), U32, RAW, b""), ((3, "TEXT"), 1, RAW, b"hi"),
               ((4, "EVENTS"), 2, RAW, b"\0")],
              [(i, (i % 5, ["PEER", "SECOND", "CLOUD", "LOCAL", "DEGRADED"][i % 5]), i, ZSTD,
                bytes([i]) * (3 + i)) for i in range(20)])]),
    (36, "ACK", [
        [uint("frame", 7), uint("state_version", 6), uint("jitter_us", 1500)],
        [uint("frame", U64), uint("state_version", U64), uint("jitter_us", U32)]]),
    (37, "SAVES", [
        [group("saves", [])],
        [group("saves", [[uint("id", i + 1), enum("kind", *k), text("name", n),
                          uint("created_s", 1700000000 + i), uint("frame", 3600 * i)]
                         for i, (k, n) in enumerate([((2, "NAMED"), "before the flood"),
                                                     ((0, "AUTO"), ""), ((1, "HOURLY"), ""),
                                                     ((2, "NAMED"), NAME64), ((0, "AUTO"), "")])])]]),
    (38, "END", [
        [enum("reason", 0, "LEFT"), text("text", ""), uint("retry_s", 0)],
        [enum("reason", 14, "IDENTITY"), text("text", "the id is not the key"), uint("retry_s", 60)]]),
    (39, "VIEW", [
        [enum("view", 0, "STATE"), uint("width", 1), uint("height", 1)],
        [enum("view", 1, "PIXELS"), uint("width", 1280), uint("height", 720)]]),
    (64, "STATEMENT", [
        [node("authority", KEY_A), node("helper", KEY_B), uint("sequence", 1), uint("issued_s", 0),
         enum("mode", 0, "POINTS"), uint("cost_units", 0), uint("cleared_nd", 0), uint("held_nd", 0),
         uint("forfeited_nd", 0), sint("balance_nd", v)] for v in (0, -1, -32, -33, -129, -32769)] + [
        [node("authority", KEY_B), node("helper", KEY_A), uint("sequence", U64),
         uint("issued_s", I63), enum("mode", 1, "FUNDED"), uint("cost_units", I63),
         uint("cleared_nd", I63), uint("held_nd", I63), uint("forfeited_nd", I63),
         sint("balance_nd", v)] for v in (-2**63, 2**63 - 1, -2**31 - 1, 128)]),
]


def main():
    golden, corpus = sys.argv[1], sys.argv[2]
    for folder in (golden, corpus):
        os.makedirs(folder, exist_ok=True)
    for number, name, vectors in MESSAGES:
        with open(os.path.join(golden, name.lower() + ".hex"), "w", encoding="utf-8") as out:
            out.write("# written by tests/tools/wire-golden.py\n")
            for i, fields in enumerate(vectors):
                body, line = record(fields)
                out.write("type %d\ntext %s %s\nhex %s\n" % (number, name, line, body.hex()))
                if i == 1:
                    with open(os.path.join(corpus, name.lower()), "wb") as seed:
                        seed.write(bytes([number]) + body)


main()
