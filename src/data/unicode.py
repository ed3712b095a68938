"""Writes unicode.h: ranges of code points whose general category is a letter (L…) or a number (N…).

    python3 unicode.py > unicode.h
"""
import unicodedata


def ranges(initial):
    found, start = [], None
    for point in range(0x110001):
        inside = point < 0x110000 and unicodedata.category(chr(point))[0] == initial
        if inside and start is None:
            start = point
        if not inside and start is not None:
            found.append((start, point - 1))
            start = None
    return found


def table(name, initial):
    print(f"static const uint32_t {name}[][2] = {{")
    line = ""
    for first, last in ranges(initial):
        entry = f"{{0x{first:x}, 0x{last:x}}},"
        if len(line) + len(entry) > 110:
            print("    " + line.rstrip())
            line = ""
        line += entry + " "
    print("    " + line.rstrip() + "\n};")


print(f"/* Made by unicode.py from Unicode {unicodedata.unidata_version}: first and last code points of ranges. */")
print("#ifndef DTRAIN_UNICODE_H\n#define DTRAIN_UNICODE_H\n\n#include <stdint.h>\n\n/* clang-format off */")
table("dt_unicode_letters", "L")
table("dt_unicode_numbers", "N")
print("/* clang-format on */\n\n#endif")
