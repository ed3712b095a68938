"""Writes a recipe file as a C string: embed.py RECIPE.yaml OUTPUT.c"""
import sys

lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write('#include "config/recipe.h"\n\nconst char dt_recipe_default_text[] =')
    for line in lines:
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        out.write(f'\n    "{escaped}\\n"')
    out.write(";\n")
