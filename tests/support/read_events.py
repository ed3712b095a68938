"""An independent reader of TensorBoard's event files: framing, CRC-32C and protobuf by its own means.

read_events.py RUN: compares the scalars of the one file there with the rows of metrics.jsonl."""
import glob, json, math, struct, sys


def crc32c(data):
    """Bit by bit, polynomial 0x1EDC6F41 reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283  # the check value of the published tables


def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    data = open(path, "rb").read()
    at = 0
    while at < len(data):
        head = data[at : at + 8]
        (length,) = struct.unpack("<Q", head)
        assert struct.unpack("<I", data[at + 8 : at + 12])[0] == masked(head), f"length at {at}"
        body = data[at + 12 : at + 12 + length]
        assert struct.unpack("<I", data[at + 12 + length : at + 16 + length])[0] == masked(body), f"data at {at}"
        yield body
        at += 16 + length


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = struct.unpack_from("<d", data, at)[0], at + 8
        elif kind == 2:
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        else:
            assert kind == 5
            value, at = struct.unpack_from("<f", data, at)[0], at + 4
        yield key >> 3, value


def read(run):
    (path,) = glob.glob(f"{run}/events.out.tfevents.*")
    scalars, first = {}, True
    for body in records(path):
        event = dict(fields(body))
        if first:
            assert event[3] == b"brain.Event:2", event
            first = False
        assert 1.7e9 < event[1] < 5e9
        for number, summary in fields(event.get(5, b"")):
            value = dict(fields(summary))
            key = (value[1].decode(), event[2])
            assert number == 1 and key not in scalars, f"{key} twice"
            scalars[key] = value[2]
    return scalars


if __name__ == "__main__":
    scalars, wanted = read(sys.argv[1]), {}
    rows = map(json.loads, open(f"{sys.argv[1]}/metrics.jsonl"))
    for row in (row for row in rows if row["series"] in ("train", "epoch")):
        for name, value in row.items():
            if name not in ("series", "step") and isinstance(value, (int, float)):
                wanted[f"{row['series']}/{name}", row["step"]] = struct.unpack("<f", struct.pack("<f", value))[0]
    assert scalars.keys() == wanted.keys(), sorted(scalars.keys() ^ wanted.keys())[:5]
    assert scalars == wanted, [(key, scalars[key], wanted[key]) for key in wanted if scalars[key] != wanted[key]][:5]
    print(len(scalars), "scalars, as in metrics.jsonl")
