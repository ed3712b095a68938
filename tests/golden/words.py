"""Writes words.h: texts and how GPT-2's pattern (the comment of include/data/tokenizer.h says it in words) cuts them,
by the Python package regex. Code points that the table in src/data does not know yet (Unicode 14) are left out.

    python3 words.py > words.h
"""
import random
import unicodedata

import regex

PATTERN = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")
random.seed(5)

HAND = ["Hello, world!", "I'll say we've done what they'd do, 'tis 'twas don't", "  two  spaces   three ", "\n\n a\n\tb \n",
        "x=3.14;y = 2024", "'s's 'll'x '", " '", "' ", "\u00a0a\u3000b", "naïve Ünïcode", "\u00b2\u2167 \u0663\u0664 ½x",
        "日本語の文 テスト123", "😀 ok😀😀", "e\u0301a", " ", "  ", "\n", "a  ", "a \n", "it's 5'11\" I'D", "'re'veal"]
PIECES = ["'", " ", "  ", "\n", "\t", "s", "t", "re", "ve", "ll", "d", "m", "A", "ß", "日", "1", "२", "Ⅷ", "!", "…", "\u00a0",
          "\u2028", "\u0301", "😀", "-", "_", "\u0085", "\x1c", "\x00", "Ʊ", "½"]


def text():
    if random.random() < 0.7:
        return "".join(random.choice(PIECES) for _ in range(random.randrange(1, 14)))
    found = []
    while len(found) < 6:
        point = random.choice([random.randrange(0x80, 0x3000), random.randrange(0x3000, 0x20000)])
        if unicodedata.category(chr(point)) not in ("Cn", "Cs"):
            found.append(chr(point))
            if random.random() < 0.3:
                found.append(" ")
    return "".join(found)


print("/* Made by words.py. Bytes of a text, and the lengths of its words. */")
print("static const struct golden_words {\n    const char *bytes;\n    int size, count, lengths[24];\n} golden_words[] = {")
for sample in HAND + [text() for _ in range(400)]:
    sample = sample if isinstance(sample, str) else str(sample)
    words = [len(word.encode()) for word in PATTERN.findall(sample)]
    assert sum(words) == len(sample.encode()) and len(words) <= 24
    escaped = "".join(f"\\{byte:03o}" for byte in sample.encode())
    print(f'    {{"{escaped}", {len(sample.encode())}, {len(words)}, {{{", ".join(map(str, words))}}}}},')
print("};")
