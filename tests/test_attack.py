"""The list of ATT&CK techniques is whole, and says what is no technique or is one no longer."""

import pytest

from evtxhunt.attack import attack, technique_problem


def test_the_matrix_has_its_tactics_in_order_and_all_its_techniques() -> None:
    matrix = attack()
    # The counts of version 18: https://attack.mitre.org/resources/updates/updates-october-2025/
    assert matrix.version == "18.1"
    valid = [item for item in matrix.techniques.values() if item.status == "valid"]
    assert (len(matrix.tactics), sum("." not in item.id for item in valid), len(valid)) == (14, 216, 691)
    assert [tactic.name for tactic in matrix.tactics][:3] == [
        "Reconnaissance",
        "Resource Development",
        "Initial Access",
    ]
    assert matrix.tactics[-1].id == "TA0040"
    assert "© 2025 The MITRE Corporation" in matrix.attribution and "non-exclusive" in matrix.licence


def test_a_technique_has_its_names_and_tactics() -> None:
    remoting = attack().techniques["T1021.006"]
    assert (remoting.name, remoting.tactics) == ("Windows Remote Management", ("lateral-movement",))
    assert remoting.full_name == "Remote Services: Windows Remote Management"
    # In the order of the matrix, whatever the source has.
    assert attack().techniques["T1078"].tactics == (
        "initial-access",
        "persistence",
        "privilege-escalation",
        "defense-evasion",
    )


def test_every_valid_technique_has_a_tactic_and_its_parent() -> None:
    matrix = attack()
    for item in matrix.techniques.values():
        if item.status == "valid":
            assert item.tactics, item
            assert matrix.techniques[item.id.partition(".")[0]].status == "valid", item
        assert item.replaced_by is None or matrix.techniques[item.replaced_by].status == "valid", item


@pytest.mark.parametrize(
    ("technique_id", "problem"),
    [
        ("T1021.006", None),
        ("T1053.001", "is revoked in MITRE ATT&CK 18.1; use T1053.002 (Scheduled Task/Job: At)"),
        ("T1053.004", "is deprecated in MITRE ATT&CK 18.1"),
        ("T1021.099", "is no technique of MITRE ATT&CK 18.1; did you mean T1021.00"),
        ("X", 'attack "X" is no technique of MITRE ATT&CK 18.1'),
    ],
)
def test_what_is_no_valid_technique_is_told(technique_id: str, problem: str | None) -> None:
    found = technique_problem(technique_id)
    assert found is None if problem is None else found is not None and problem in found
