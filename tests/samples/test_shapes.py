"""Synthetic events against real records: the same templates, the same bytes."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structure import NULL, Node, Tree, read_chunks, read_tree, real_fields

from samples import shapes, values
from samples.binxml import hash_name, hash_template
from samples.events import Record, UserData, UserElement
from samples.evtx_writer import build_log, write_log
from samples.scenario import Account, Host
from samples.shape import FieldInput, Shape, Witness

CORPORA = Path(os.environ.get("EVTXHUNT_CORPORA", Path(__file__).parents[3] / "shared"))
SID = "S-1-5-21-1004336348-1177238915-682003330-1118"

SHAPES = {name: shape for name, shape in vars(shapes).items() if isinstance(shape, Shape)}
WITNESSED = {name: shape for name, shape in SHAPES.items() if shape.witness is not None}
# The classic sources whose strings and binary vary from event to event.
CLASSIC: dict[int, tuple[tuple[str, ...], bytes | None]] = {
    800: (("one", "two", "three"), None),
    6005: ((), b"\xe2\x07"),
    6006: ((), b"\x01"),
    6009: (("10.00.", "19041"), None),
    6013: (("", "", "1234"), b"1\0"),
}
_SAMPLE_VALUES: dict[str, FieldInput] = {
    "sid": SID,
    "guid": "54849625-5478-4994-a5ba-3e3b0328c30d",
    "str": "text",
    "bool": True,
    "time": datetime(2025, 3, 4, tzinfo=UTC),
    "bin": b"\0\0",
}


def write_shape(path: Path, shape: Shape) -> None:
    """One event of `shape` with a value of the right type in every field."""
    host = Host("HOST", Account("EXAMPLE", "EXAMPLE", "S-1-5-21-1-2-3"), "example.test", "192.0.2.1", datetime.now(UTC))
    event = host.log(
        shape,
        datetime(2025, 3, 4, tzinfo=UTC),
        by=4,
        fields={name: _SAMPLE_VALUES.get(kind, 1) for name, kind in shape.fields},
        strings=CLASSIC.get(shape.event_id, (("one", "two", "three"), None))[0] if shape.is_classic else (),
        binary=b"\0\0" if shape is shapes.SERVICE_STATE else CLASSIC.get(shape.event_id, ((), None))[1],
        activity_id="12345678-9abc-def0-1122-334455667788",
        user_sid=SID,
    )
    write_log(path, [host.record(event, 1)])


def without_names_of_places(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Nodes with the computer's name hidden, which is text in every template."""
    names = [node.name for node in nodes]
    hidden = names.index("Computer") + 2
    return (*nodes[:hidden], Node("text", "HOST"), *nodes[hidden + 1 :])


def system_values(tree: Tree) -> list[bytes | Tree | None]:
    """Level, opcode, task, event id, qualifiers, keywords, version, and provider and channel if values."""
    indices = [0, 1, 2, 3, 4, 5, 11, *([14, 15, 16] if len(tree.values) == 18 else [])]
    # Old Windows leaves stray bytes behind some nulls.
    return [None if kind == NULL else value for kind, value in (tree.values[index] for index in indices)]


def real_tree(witness: Witness) -> Tree:
    path = CORPORA / witness.path
    assert path.exists(), f"{path} is missing; set EVTXHUNT_CORPORA"
    return read_tree(path, witness.header_record_id)


@pytest.mark.corpus
@pytest.mark.parametrize("name", WITNESSED)
def test_a_synthetic_event_has_the_structure_of_a_real_one(tmp_path: Path, name: str) -> None:
    shape = WITNESSED[name]
    assert shape.witness is not None
    path = tmp_path / "shape.evtx"
    write_shape(path, shape)
    real, ours = real_tree(shape.witness), read_tree(path, 1)
    assert without_names_of_places(ours.nodes) == without_names_of_places(real.nodes)
    assert system_values(ours) == system_values(real)
    assert ours.inner.nodes == real.inner.nodes
    assert [kind for kind, _ in ours.inner.values] == [kind for kind, _ in real.inner.values]
    # What both records have has one type; a null says only that this record had no such value.
    pairs = zip(ours.values, real.values, strict=True)
    assert all(mine == theirs for (mine, _), (theirs, _) in pairs if NULL not in (mine, theirs))


@pytest.mark.corpus
@pytest.mark.parametrize("shape", [shapes.ENGINE_AVAILABLE, shapes.ENGINE_STOPPED, shapes.PROVIDER_STARTED])
def test_a_powershell_engine_event_has_the_structure_of_a_real_classic_one(tmp_path: Path, shape: Shape) -> None:
    path = tmp_path / "engine.evtx"
    write_shape(path, shape)
    folder = "corpora/attack-samples/Other/emotet"
    real, ours = real_tree(Witness(f"{folder}/exec_emotet_ps_800_new-object.evtx", 1)), read_tree(path, 1)
    assert without_names_of_places(ours.nodes) == without_names_of_places(real.nodes)
    assert ours.inner.nodes == real.inner.nodes
    assert [kind for kind, _ in ours.inner.values] == [kind for kind, _ in real.inner.values]


@pytest.mark.corpus
def test_the_hashes_of_names_and_templates_are_those_of_real_chunks() -> None:
    (chunk, *_) = read_chunks((CORPORA / "corpora/deepblue/sliver-security.evtx").read_bytes())
    names = list(chunk.name_chains())
    templates = list(chunk.template_chains())
    assert len(names) > 30
    assert len(templates) > 5
    assert all(hash_name(name) == name_hash for _, _, name, name_hash in names)
    assert all(hash_name(name) % 64 == bucket for bucket, _, name, _ in names)
    assert all(hash_template(guid) == bucket for bucket, _, guid in templates)


@pytest.mark.corpus
def test_a_real_record_written_again_has_the_same_bytes() -> None:
    """The first record of a real log: an 1102 with both templates and all their names inline."""
    (real, *_) = read_chunks((CORPORA / "corpora/deepblue/sliver-security.evtx").read_bytes())
    subject = {
        "SubjectUserSid": values.sid("S-1-5-21-1552841522-3835366585-4197357653-1002"),
        "SubjectUserName": values.string("fgaeta"),
        "SubjectDomainName": values.string("VALKYRIE"),
        "SubjectLogonId": values.hex64(0xA17EE),
    }
    namespace = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"
    content = tuple(UserElement(name, value) for name, value in subject.items())
    record = Record(
        provider=shapes.EVENT_LOG,
        channel="Security",
        computer="VALKYRIE.galactica.cc",
        record_id=245030,
        time=0x01D989B6858CA05B,
        event_id=1102,
        version=0,
        level=4,
        task=104,
        opcode=0,
        keywords=0x4020000000000000,
        process_id=1368,
        thread_id=1692,
        payload=UserData(UserElement("LogFileCleared", content, namespace)),
        written_time=133289081001725922,
        header_record_id=1,
    )
    (ours,) = read_chunks(build_log([record]))
    ((offset, size, _),) = ours.records()
    written = bytearray(ours.data[offset : offset + size])
    wanted = bytearray(real.data[offset : offset + size])
    # A template's GUID is Windows' own, and stands once more, shortened, in the instance.
    for data in (written, wanted):
        for start in (0x226, 0x820):
            data[start - 8 - offset : start - 4 - offset] = bytes(4)
            data[start + 4 - offset : start + 20 - offset] = bytes(16)
    # The padding before the closing size holds whatever was in memory.
    end = 0xA2D - offset
    written[end:-4] = wanted[end:-4] = bytes(len(written) - 4 - end)
    assert written == wanted


def test_every_shape_names_a_witness_or_says_what_it_rests_on() -> None:
    assert [name for name, shape in SHAPES.items() if shape.witness is None and not shape.basis] == []
    assert [name for name, shape in SHAPES.items() if shape.witness and shape.basis] == []


SYSMON_VERSIONS = (
    (1, 5),
    (3, 5),
    (5, 3),
    (7, 3),
    (8, 2),
    (10, 3),
    (11, 2),
    (12, 2),
    (13, 2),
    (17, 1),
    (18, 1),
    (22, 5),
)
# Forms of our events that the corpora hold as well and that we do not write, with the reason.
VARIANTS_LEFT_OUT = {
    # Earlier releases of Sysmon; of 1, 3 and 10 an older form is made.
    **{("Microsoft-Windows-Sysmon", event_id, version): "Sysmon" for event_id, version in SYSMON_VERSIONS},
}


@pytest.fixture(scope="session")
def real_forms() -> dict[tuple[str, str, int, int], set[tuple[tuple[str, int], ...]]]:
    """(channel, provider, event id, version) -> the field lists, as (name, declared type), of all real records."""
    forms: dict[tuple[str, str, int, int], set[tuple[tuple[str, int], ...]]] = {}
    wanted = {shape.event_id for shape in SHAPES.values()}
    for path in sorted([*(CORPORA / "corpora").rglob("*.evtx"), *(CORPORA / "sigma").rglob("*.evtx")]):
        for key, fields in real_fields(path, wanted):
            forms.setdefault(key, set()).add(fields)
    return forms


@pytest.mark.corpus
def test_every_event_of_ours_that_is_real_too_has_a_witness(
    real_forms: dict[tuple[str, str, int, int], set[tuple[tuple[str, int], ...]]],
) -> None:
    """A shape from documentation is for events that no real log here holds."""
    unwitnessed = [
        name
        for name, shape in SHAPES.items()
        if shape.witness is None and (shape.channel, shape.provider.name, shape.event_id, shape.version) in real_forms
    ]
    # One real 91 is broken, and the real 193 are of Windows 7, which means something else by it.
    assert sorted(unwitnessed) == ["VIRTUAL_ACCOUNT", "WSMAN_SHELL"]


@pytest.mark.corpus
def test_forms_of_other_windows_versions_are_made_or_explained(
    real_forms: dict[tuple[str, str, int, int], set[tuple[tuple[str, int], ...]]],
) -> None:
    ours: dict[tuple[str, str, int, int], set[tuple[str, ...]]] = {}
    for shape in SHAPES.values():
        key = (shape.channel, shape.provider.name, shape.event_id, shape.version)
        if not shape.is_classic:
            ours.setdefault(key, set()).add(tuple(name for name, _ in shape.fields))
    missing = {
        (*key[1:], names)
        for key, forms in real_forms.items()
        if key in ours
        for fields in forms
        # The Binary of a service event is given with the event.
        if (names := tuple(name for name, _ in fields if name != "Binary")) not in ours[key]
    }
    assert {entry for entry in missing if entry[:3] not in VARIANTS_LEFT_OUT} == set()
