"""English names of languages, as prompts call them."""

from __future__ import annotations

from collections.abc import Iterable

from services.errors import InvalidInput
from services.mt.engine import LanguagePair

# By primary subtag: the 55 languages that TranslateGemma is measured on (arXiv 2601.09012), English
# among them, and more that large models know. Its template gives a regional code ("pt-BR") the name
# of its primary language.
NAMES = {
    "af": "Afrikaans",
    "am": "Amharic",
    "ar": "Arabic",
    "az": "Azerbaijani",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fil": "Filipino",
    "fr": "French",
    "ga": "Irish",
    "gl": "Galician",
    "gu": "Gujarati",
    "ha": "Hausa",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "ht": "Haitian Creole",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "ig": "Igbo",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mg": "Malagasy",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mn": "Mongolian",
    "mr": "Marathi",
    "ms": "Malay",
    "my": "Burmese",
    "ne": "Nepali",
    "nl": "Dutch",
    "no": "Norwegian",
    "pa": "Punjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "qu": "Quechua",
    "ro": "Romanian",
    "ru": "Russian",
    "rw": "Kinyarwanda",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "so": "Somali",
    "sq": "Albanian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "xh": "Xhosa",
    "yo": "Yoruba",
    "zh": "Chinese",
    "zu": "Zulu",
}


def name_of(code: str) -> str:
    """The English name of a BCP 47 code; `_` counts as `-`, regions are left aside.

    Raises:
        InvalidInput: UNSUPPORTED_LANGUAGE_PAIR.
    """
    primary = code.replace("_", "-").partition("-")[0].lower()
    name = NAMES.get(primary)
    if name is None:
        raise InvalidInput(
            "UNSUPPORTED_LANGUAGE_PAIR",
            f"no language is known by the code {code!r}; write a code as in BCP 47, such as es",
            language=code,
        )
    return name


def promptable_pairs(wanted: Iterable[LanguagePair]) -> tuple[LanguagePair, ...]:
    """What a prompted model offers: the pairs in `wanted`, then all from and to English.

    English is on one side of what such models are measured on; a church that needs another pair
    names it.

    Raises:
        InvalidInput: UNSUPPORTED_LANGUAGE_PAIR, for a wanted language without a name here.
    """
    offered = dict.fromkeys(wanted)
    for pair in offered:
        name_of(pair.source)
        name_of(pair.target)
    for code in NAMES:
        if code != "en":
            offered |= {LanguagePair("en", code): None, LanguagePair(code, "en"): None}
    return tuple(offered)
