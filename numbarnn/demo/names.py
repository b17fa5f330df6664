"""The demo's data: the names of Unicode characters, each with its general category.

Real strings of 2 to 88 characters, with a true label, in every Python. Names made by a rule
(ideographs, syllables) are left out: they would make one class 87 % of the data.
"""

import hashlib
import sys
import unicodedata

RULE_MADE = (
    "CJK UNIFIED IDEOGRAPH-",
    "CJK COMPATIBILITY IDEOGRAPH-",
    "HANGUL SYLLABLE",
    "TANGUT",
    "NUSHU",
    "KHITAN",
)
ALPHABET = " -0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CATEGORIES = (
    "Cc", "Cf", "Cn", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn",
    "Nd", "Nl", "No", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm",
    "So", "Zl", "Zp", "Zs",
)  # fmt: skip

_IDS = {letter: i for i, letter in enumerate(ALPHABET, start=1)}


def named_characters():
    """Names and categories of all characters with a name of their own.

    Returns
    -------
    names : list of str
    categories : list of str
        The general category of each, such as ``"Ll"``.
    """
    names, categories = [], []
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        name = unicodedata.name(character, "")
        if name and not name.startswith(RULE_MADE):
            names.append(name)
            categories.append(unicodedata.category(character))
    return names, categories


def ids_of(name):
    """The token ids of a name, from 1; 0 is kept for padding."""
    return [_IDS[letter] for letter in name]


def is_held_out(name):
    """Whether a name belongs to the tenth that training never sees; fixed by a hash of the name."""
    return hashlib.blake2b(name.encode(), digest_size=2).digest()[0] % 10 == 0
