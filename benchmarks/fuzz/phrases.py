"""Wrong arguments, files of settings and TOML of editions, as people type and write them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

import numpy as np

from benchmarks.fuzz.mutations import DAMAGES, EDITS

Random = np.random.Generator

SECRET = "hush-4711"
ADDRESSES = (
    f"postgresql://me:{SECRET}@127.0.0.1:1/d",
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1/d",
    f"postgresql://me:{SECRET}[@127.0.0.1/d",
    f"postgresql://me:{SECRET}@[::1/d",
    f"postgresql://me:{SECRET}\udcff@127.0.0.1/d",
    f"postgresql://me:{SECRET}/x@127.0.0.1/d",
    f"mysql://me:{SECRET}@127.0.0.1/d",
    f"me:{SECRET}@127.0.0.1/d",
    f"host=127.0.0.1 port=1 user=me password={SECRET} dbname=d",
    f"host=127.0.0.1 password='x {SECRET}' dbname=d",
    f"s3://me:{SECRET}@bucket/runs",
)
_ODD = (
    *("", " ", ",", ":", "-", "--", "0", "-1", "1", "²", "１２", "1e308", "nan", "inf", "9" * 400, "9" * 5000),
    *("abc", "a,b", "1:0", "0:5", "5:5", "1:9999999999", "1991-2020", "2020-1991", "1-2-3", "..", "/", "/dev/null"),
    *("nothere/", "nothere/deep", "file.txt", "folder", "~nobody/x", "[", "[::1]", "%", "=", "한글", "x" * 300),
    *("a\nb", "\x1b[31m", "\u202e", "\udcff", "tcp://h:99999", "tcp://:1", "local:0", "local:2000", "local:x", "foo"),
    *("file:///nothere/x", "http://[", "nosuch://x", "typhoon", "flod", "typhoon,typhoon", "ssp585", "SSP2-4.5"),
    *("mid_term", "2025-12", "2025-13", "own.toml", "ta", "tas=K", "37.5", "127.0", "-91", "yearly", "all", "grid"),
    *("derive", "download", "wamis", "x.csv", "x.parquet", "{}", "null"),
)
_NAMES = (
    *("DW_URL", "DW_HOST", "DW_PORT", "DW_NAME", "DW_USER", "DW_PASSWORD", "APP_URL", "APP_HOST", "APP_PASSWORD"),
    *("DATABASE_HOST", "DATABASE_PASSWORD", "ENGINE_HOME", "EMBEDDED", "DATA_DIR", "SAMPLE_LIMIT", "PARALLEL_WORKERS"),
    *("BLOCK_CELLS", "KERNEL_CACHE", "EDITION", "KEEP_RUNS", "NOTIFY_DSN", "NOTIFY_CHANNEL", "SCHEDULE_TIMEZONE"),
    *("PROBABILITY_SCHEDULE_DAY", "HAZARD_SCHEDULE_MONTH", "API_HOST", "API_PORT", "API_KEY", "API_CORS_ORIGINS"),
    *("LOG_FORMAT", "AAL_LEVEL_CUTS_PCT", "SPATIAL_MISSING_POLICY", "MISFIRE_GRACE_HOURS", "ENV_FILE", "DW_PASWORD"),
)  # fmt: skip
_SOUND = (*("1", "5", "23", "5433", "true", "false", "127.0.0.1", "name", "folder", "2025-12", "0.1,0.3,1,3"), "")
_SECRETS = ("PASSWORD", "URL", "DSN", "KEY")
_RISKS = ("typhoon", "drought", "extreme_heat", "sea_level_rise", "flood")
_HEAD = {"name": '"own"', "base": '"2025-11"'}
_KEYS = (
    *("edges", "damage_rates", "lower", "atom", "source", "intensity", "fallback", "of_baseline", "calibrated"),
    *("estimator", "priced", "factor", "level", "fit"),
)
_VALUES = (
    *("1", "-1", "0.5", "1e308", "-1e400", "inf", "nan", "9" * 400, "9" * 5000, "0x" + "f" * 5000, "true", "[]"),
    *("[[]]", "[0, 1, 2]", "[3, 2, 1]", "[0.5, 0.4]", "[1e308, -1e308]", "['a']", "[true]", "{}", "{a = 1}"),
    *("[{a = 1}]", "''", "' '", "'none'", "'a'", '"\\u0000"', '"\\u202e"', '"""a\nb"""', "'" + "x" * 5000 + "'"),
    *("2020-01-01", "12:00:00", "[" * 500, "[" * 30 + "]" * 30, "'unclosed", '"', "", "own", "'2025-11'", "'2025-12'"),
    *("'own'", "'가 나'", "\x00", "\x85"),
)
_SOUND_KEYS = (
    *("lower = 0", "lower = 0.0\natom = true", "source = '우리 자료 2026'", "calibrated = false", "atom = false"),
    *("estimator = 'count'", "priced = false", "factor = {value = 1, low = 0.5, high = 2, source = 'own'}"),
    *(
        "edges = {quantiles = [0.5, 0.9], fit = 'gev'}",
        "edges = {return_periods = [2, 10, 50]}",
        "estimator = 'fitted'",
    ),
    *("damage_rates = [0, 0.001, 0.01, 0.02, 0.05]", "edges = [1, 2, 3, 4]", "edges = [1.5]\ndamage_rates = [0, 0.1]"),
)


def pick(rng: Random, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def mangled(text: str, rng: Random) -> str:
    """A slip: a sign lost, twice, another one, or two in the wrong order."""
    at = int(rng.integers(len(text) + 1))
    sign = pick(rng, ("", text[at : at + 1] * 2, "é", "\t", "\\", "'", '"', "$", "#", "%", "\u2028"))
    return text[:at] + sign + text[at + 1 :]


def value(rng: Random) -> str:
    """A word in the place of an option's value."""
    word = pick(rng, ADDRESSES) if rng.random() < 0.25 else pick(rng, _ODD)
    return word if "hush" in word or rng.random() < 0.8 else mangled(word, rng)


def arguments(options: Sequence[str], rng: Random) -> list[str]:
    """Words of a command line. options : those of the job."""
    words: list[str] = []
    for _ in range(int(rng.integers(0, 5))):
        option = pick(rng, options) if options else "--x"
        option = mangled(option, rng) if rng.random() < 0.05 else option
        draw = rng.random()
        if draw < 0.7:
            words += [option, value(rng)]
        elif draw < 0.8:
            words.append(f"{option}={value(rng)}")
        elif draw < 0.95:
            words.append(option)
        else:
            words.append(value(rng))
    return words


def settings(rng: Random) -> tuple[bytes, bool]:
    """A file of settings, and whether every secret in it stands where it is known for one."""
    lines = [_setting(pick(rng, _NAMES), rng) for _ in range(int(rng.integers(1, 6)))]
    if rng.random() < 0.1:
        lines.append(pick(rng, (*ADDRESSES, "# a remark", "two words", "=", "'", "[section]", "a: b", "\x00")))
    raw = "\n".join(lines).encode("utf-8", "surrogateescape")
    draw = rng.random()
    if draw < 0.15:
        return DAMAGES[int(rng.integers(len(DAMAGES)))](raw, rng), False
    if draw < 0.3:
        return EDITS[int(rng.integers(len(EDITS)))](raw, rng), False
    if draw < 0.35:
        return raw.decode("utf-8", "replace").encode(pick(rng, ("utf-16", "utf-8-sig", "utf-16-le"))), True
    return raw, True


def _setting(name: str, rng: Random) -> str:
    draw = rng.random()
    text = pick(rng, _SOUND) if draw < 0.6 else pick(rng, _ODD)
    if name.endswith(_SECRETS) and draw < 0.8:
        text = pick(rng, (*ADDRESSES, SECRET))
    quote, equals = pick(rng, ("", "", "", "", '"', "'")), pick(rng, ("=", "=", "=", "=", " = ", ""))
    return f"{pick(rng, ('', '', '', 'export ', ' '))}{name}{equals}{quote}{text}{quote}"


def edition(rng: Random) -> bytes:
    """The file of an edition."""
    draw = rng.random()
    if draw < 0.3:
        raw = (resources.files("engine.risks") / "editions" / "2025-12.toml").read_bytes()
        raw = b'name = "own"\nbase = "2025-11"\n' + raw
    else:
        odd = pick(rng, ("name", "base", "", "", "", ""))
        head = [f"{key} = {pick(rng, _VALUES) if key == odd else sound}" for key, sound in _HEAD.items()]
        for _ in range(int(rng.integers(0, 3))):
            head.append(
                pick(rng, ("[%s]", "[%s]", "[%s]", "[%s]", "[[%s]]", "%s = 1", "%s.edges = 1")) % pick(rng, _RISKS)
            )
            for _ in range(int(rng.integers(0, 3))):
                strange = f"{pick(rng, _KEYS)} = {pick(rng, _VALUES)}"
                head.append(pick(rng, _SOUND_KEYS) if rng.random() < 0.5 else strange)
        raw = "\n".join(head).encode()
    if rng.random() < 0.25:
        changes = DAMAGES if rng.random() < 0.5 else EDITS
        raw = changes[int(rng.integers(len(changes)))](raw, rng)
    return raw
