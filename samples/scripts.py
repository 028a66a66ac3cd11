"""Script texts of the scenarios. All of them are harmless or do nothing."""


def _inventory() -> str:
    lines = ["# Synthetic inventory script of the evtxhunt samples. It reads nothing.", "$shares = @("]
    lines += [
        f"    [pscustomobject]@{{ Host = 'SRV{number:02}'; Share = 'dept{number * 37 % 100:02}' }}"
        for number in range(1, 421)
    ]
    lines += [
        ")",
        "$shares | Group-Object -Property Share | Sort-Object -Property Count | Select-Object -First 5",
    ]
    return "\r\n".join(lines)


# More than 20,000 characters, so that PowerShell logs it in parts.
INVENTORY = _inventory()
