"""What an attacker can write into a log to hit whoever reads it, and a report that is full of it."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from reports import realistic_report

from evtxhunt.model import Report, SkippedFile

_RUN = "window.__pwned=1;alert(1)"

PAYLOADS: tuple[str, ...] = (
    # elements
    f"<script>{_RUN}</script>",
    f"</script><script>{_RUN}</script>",
    f"</SCRIPT ><ScRiPt>{_RUN}</sCrIpT>",
    f"<!--<script>{_RUN}</script>-->",
    f"--><script>{_RUN}</script>",
    f"]]><script>{_RUN}</script>",
    "<!--<script>",
    f"</style><script>{_RUN}</script>",
    f"</title><script>{_RUN}</script>",
    f"</textarea></noscript><script>{_RUN}</script>",
    f"</svg></math><script>{_RUN}</script>",
    f"</option></select><script>{_RUN}</script>",
    f"<img src=x onerror={_RUN}>",
    f'<img src="x" onerror="{_RUN}">',
    f"<image src=x onerror={_RUN}>",
    f"<svg onload={_RUN}>",
    f"<svg><animate onbegin={_RUN} attributeName=x dur=1s>",
    f"<svg><set attributeName=href to=javascript:{_RUN} /></svg>",
    f"<svg><script href=data:text/javascript,{_RUN} /></svg>",
    f"<math><mtext></p><mglyph><style><img src=x onerror={_RUN}>",
    f"<body onload={_RUN}>",
    f"<iframe src=javascript:{_RUN}></iframe>",
    f"<iframe srcdoc='<script>parent.{_RUN}</script>'></iframe>",
    f"<object data=javascript:{_RUN}></object>",
    f"<embed src=javascript:{_RUN}>",
    f"<form action=javascript:{_RUN}><button autofocus>x</button></form>",
    f"<input autofocus onfocus={_RUN}>",
    f"<details open ontoggle={_RUN}>x</details>",
    f"<video><source onerror={_RUN}></video>",
    f"<marquee onstart={_RUN}>x</marquee>",
    f"<a href=javascript:{_RUN}>x</a>",
    "<base href=https://evil.example/>",
    f"<meta http-equiv=refresh content='0;url=javascript:{_RUN}'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<template><img src=https://evil.example/x></template>",
    "<dialog open>you are logged out</dialog>",
    "<plaintext>",
    # attributes
    f'" autofocus onfocus="{_RUN}',
    f"' autofocus onfocus='{_RUN}",
    f'"><script>{_RUN}</script>',
    f"'><script>{_RUN}</script>",
    f"` onmouseover=`{_RUN}",
    f"x onmouseover={_RUN} y=",
    '" style="position:fixed;inset:0;background:url(https://evil.example/)',
    "&quot; onfocus=&quot;x",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    # links
    f"javascript:{_RUN}",
    f"JaVaScRiPt:{_RUN}",
    f"java\tscript:{_RUN}",
    f"\x01javascript:{_RUN}",
    f"data:text/html,<script>{_RUN}</script>",
    f"vbscript:{_RUN}",
    'https://evil.example/" onclick="alert(1)',
    "//evil.example/x",
    "file:///etc/passwd",
    # templates, script text, style
    "{{ 7*7 }}{% raw %}{# x #}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('id').read() }}",
    f"${{{_RUN}}}",
    f"'-({_RUN})-'",
    f'\\";{_RUN}//',
    f"\u2028{_RUN}\u2029",
    "*{display:none}</style><style>*{display:none}",
    "expression(alert(1))",
    '{"__proto__": {"__pwned": 1}}',
    "__proto__",
    "constructor",
    # characters
    "invoice\u202egpj.exe",
    "\u2066\u202e\u2067admin\u2069",
    "ad\u200bmin\u200d\ufeff\u2060",
    "nul\0byte",
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    "lone \ud800 and \udfff surrogates",
    "\ufffe\uffff noncharacters",
    "tags \U000e0041\U000e0042",
    "a" + "\u0300" * 200,
    "line\r\nbreaks\nand\ttabs\rand returns",
    "\u05d0\u05d1 \u0627\u0644 right to left",
    "x" * 3_000,
    "wide " * 400,
    "\u200b" * 5_000,
    "%n%s%x%00%0d%0a",
    "=cmd|' /C calc'!A0",
    " ",
)


def hostile_report(payloads: tuple[str, ...] = PAYLOADS) -> Report:
    """A finding a payload, and a payload in every text of every other part: all that are not levels or numbers."""
    base = realistic_report()
    first = payloads[0]
    findings = tuple(
        replace(
            _filled(base.findings[0], payload),
            finding_id=index + 1,
            attack=(payload,),
            details=json.dumps({payload: payload, "nested": [payload]}),
            records=(index,),
        )
        for index, payload in enumerate(payloads)
    )
    records = tuple(
        replace(
            _filled(base.records[0], payload),
            source=index,
            event_data=json.dumps({payload: [payload, {payload: payload}]}) if index % 2 else payload,
        )
        for index, payload in enumerate(payloads)
    )
    return replace(
        _filled(base, first),
        time_zone="UTC",
        only_host=first,
        findings=findings,
        finding_count=len(findings),
        records=records,
        sources=tuple(
            replace(_filled(base.sources[0], payload), source_file_id=index) for index, payload in enumerate(payloads)
        ),
        channels=tuple(replace(base.channels[0], host=payload, channel=payload) for payload in payloads),
        failures=tuple(
            replace(base.failures[0], source=index, scope=payload, reason=payload)
            for index, payload in enumerate(payloads)
        ),
        skipped=tuple(SkippedFile(Path(payload.replace("\0", "\\0")), payload, None) for payload in payloads),
        detections=tuple(
            replace(
                _filled(base.detections[0], payload),
                attack=(payload,),
                false_positives=(payload,),
                references=(payload,),
                error=payload if index % 2 else None,
            )
            for index, payload in enumerate(payloads)
        ),
    )


def _filled(item: Any, payload: str) -> Any:
    """A copy of the dataclass whose text fields, level apart, are all the payload."""
    kept = {"level", "time_zone"}
    return replace(
        item,
        **{
            field.name: payload
            for field in fields(item)
            if field.name not in kept
            and (isinstance(getattr(item, field.name), str) or field.type in ("str", str, str | None))
        },
    )
