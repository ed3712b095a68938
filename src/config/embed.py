"""Writes a text file as a C string: embed.py FILE OUTPUT.c HEADER NAME"""
import sys

path, output, header, name = sys.argv[1:]
lines = open(path, encoding="utf-8").read().splitlines()
with open(output, "w", encoding="utf-8") as out:
    out.write(f'#include "{header}"\n\nconst char {name}[] =')
    for line in lines:
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        out.write(f'\n    "{escaped}\\n"')
    out.write(";\n")
