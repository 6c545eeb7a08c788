"""The languages that Whisper knows, by their codes and by the names that OpenAI's API tells them by.

Source: Radford et al., 2022, appendix E; the codes are those of ISO 639, `yue` of version 3 of the model.
"""

_NAMES = """
en english, zh chinese, de german, es spanish, ru russian, ko korean, fr french, ja japanese, pt portuguese, tr turkish,
pl polish, ca catalan, nl dutch, ar arabic, sv swedish, it italian, id indonesian, hi hindi, fi finnish, vi vietnamese,
he hebrew, uk ukrainian, el greek, ms malay, cs czech, ro romanian, da danish, hu hungarian, ta tamil, no norwegian,
th thai, ur urdu, hr croatian, bg bulgarian, lt lithuanian, la latin, mi maori, ml malayalam, cy welsh, sk slovak,
te telugu, fa persian, lv latvian, bn bengali, sr serbian, az azerbaijani, sl slovenian, kn kannada, et estonian,
mk macedonian, br breton, eu basque, is icelandic, hy armenian, ne nepali, mn mongolian, bs bosnian, kk kazakh,
sq albanian, sw swahili, gl galician, mr marathi, pa punjabi, si sinhala, km khmer, sn shona, yo yoruba, so somali,
af afrikaans, oc occitan, ka georgian, be belarusian, tg tajik, sd sindhi, gu gujarati, am amharic, yi yiddish, lo lao,
uz uzbek, fo faroese, ht haitian creole, ps pashto, tk turkmen, nn nynorsk, mt maltese, sa sanskrit,
lb luxembourgish, my myanmar, bo tibetan, tl tagalog, mg malagasy, as assamese, tt tatar, haw hawaiian, ln lingala,
ha hausa, ba bashkir, jw javanese, su sundanese, yue cantonese
"""
_NAME_OF = dict(each.strip().split(" ", 1) for each in _NAMES.replace("\n", " ").split(","))
_CODE_OF = {name: code for code, name in _NAME_OF.items()}
# What ISO 639 calls by another code than the model
_CODE_OF |= {"jv": "jw", "iw": "he", "nb": "no", "in": "id"}


def code_of(language: str) -> str:
    """Return the code of a language that is named by its name, its code, or as in `de-AT`; others as they are."""
    wanted = language.strip().lower()
    plain = wanted.replace("_", "-").partition("-")[0]
    return _CODE_OF.get(wanted) or _CODE_OF.get(plain) or plain


def name_of(code: str) -> str:
    """Return the name of a language."""
    return _NAME_OF.get(code, code)
