"""Archives: what works, what is refused, and that no archive, however made, does harm."""

import bz2
import gzip
import io
import lzma
import shutil
import stat
import struct
import tarfile
import tracemalloc
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcore.errors import InvalidInput
from mlcore.formats.archives import KINDS, Limits, extract, kind_of, open_archive

FILES = {"a.tif": b"II*\0" + bytes(100), "sub/b.tfw": b"1\n0\n", "sub/c.prj": b"", "é.txt": b"x" * 70_000}
MEBI = 1024**2
Files = Iterable[tuple[str, bytes]]


def zipped(path: Path, files: Files, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return path


def tarred(path: Path, files: Files, kind: str = "tar") -> Path:
    with tarfile.open(path, f"w:{kind.partition('.')[2]}") as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def packed(path: Path, files: Files, kind: str) -> Path:
    return zipped(path, files) if kind == "zip" else tarred(path, files, kind)


def contents(path: Path, limits: Limits | None = None) -> dict[str, bytes]:
    with open_archive(path, limits) as members:
        return {member.name: member.stream.read() for member in members}


def refusal(path: Path, limits: Limits | None = None) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        contents(path, limits)
    assert refused.value.message.endswith(".")
    assert path.name in refused.value.message
    return refused.value


class TestWhatWorks:
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_works(self, kind: str, tmp_path: Path) -> None:
        path = packed(tmp_path / "some.thing", FILES.items(), kind)
        assert kind_of(path) == kind
        assert contents(path) == FILES
        stored = extract(path, tmp_path / "out")
        assert {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in stored} == FILES

    def test_nothing_stored_can_be_executed(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            info = tarfile.TarInfo("run.sh")
            info.mode = 0o6777
            archive.addfile(info)
        [stored] = extract(tmp_path / "a.tar", tmp_path / "out")
        assert stat.S_IMODE(stored.stat().st_mode) == 0o644

    def test_members_may_be_passed_by(self, tmp_path: Path) -> None:
        for kind in KINDS:
            with open_archive(packed(tmp_path / "a", FILES.items(), kind)) as members:
                assert [member.name for member in members] == list(FILES)

    def test_a_place_for_each_or_none(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "a.zip", FILES.items())
        stored = extract(path, tmp_path / "out", place=lambda name: name[-5:] if "sub/" in name else None)
        assert [p.name for p in stored] == ["b.tfw", "c.prj"]

    def test_two_files_for_one_place_are_refused(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "a.zip", FILES.items())
        with pytest.raises(InvalidInput, match="two files for one place"):
            extract(path, tmp_path / "out", place=lambda name: "one")

    def test_what_operating_systems_add_is_left_out(self, tmp_path: Path) -> None:
        litter = ["__MACOSX/._a.tif", "._a.tif", "sub/.DS_Store", "Thumbs.db"]
        path = zipped(tmp_path / "a.zip", [*FILES.items(), *((name, b"x") for name in litter)])
        assert contents(path) == FILES

    def test_folders_come_along(self, tmp_path: Path) -> None:
        (tmp_path / "in" / "deep").mkdir(parents=True)
        (tmp_path / "in" / "deep" / "a.txt").write_bytes(b"a")
        for made in ("zip", "gztar"):
            path = Path(shutil.make_archive(str(tmp_path / "made"), made, tmp_path / "in"))
            assert contents(path) == {"deep/a.txt": b"a"}

    def test_an_archive_inside_is_a_file(self, tmp_path: Path) -> None:
        inner = zipped(tmp_path / "inner.zip", FILES.items()).read_bytes()
        assert contents(zipped(tmp_path / "a.zip", [("inner.zip", inner)])) == {"inner.zip": inner}

    def test_several_xz_streams_follow_each_other(self, tmp_path: Path) -> None:
        plain = tarred(tmp_path / "a.tar", FILES.items()).read_bytes()
        half = len(plain) // 2
        (tmp_path / "a.xz").write_bytes(lzma.compress(plain[:half]) + bytes(8) + lzma.compress(plain[half:]))
        assert contents(tmp_path / "a.xz") == FILES

    @pytest.mark.parametrize("kind", ["zip", "tar.gz"])
    def test_many_files_need_little_memory(self, kind: str, tmp_path: Path) -> None:
        files = ((f"f{number:05}.jpg", bytes(20_000)) for number in range(1000))
        path = packed(tmp_path / "many", files, kind)
        tracemalloc.start()
        with open_archive(path, Limits(ratio=10_000)) as members:
            n = sum(len(member.stream.read()) == 20_000 for member in members)
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert n == 1000
        assert most < 12 * MEBI


UNSAFE = [
    "/etc/passwd", "../up", "a/../../up", "..", "C:\\windows\\x", "c:x", "\\\\host\\share", "..\\up",
    "a/\x07bell", "new\nline", "x" * 300, "/".join("d" * 40),
]  # fmt: skip


class TestNames:
    @pytest.mark.parametrize("kind", ["zip", "tar"])
    @pytest.mark.parametrize("name", UNSAFE)
    def test_what_points_elsewhere_is_refused(self, name: str, kind: str, tmp_path: Path) -> None:
        path = packed(tmp_path / "a", [(name, b"x")], kind)
        assert refusal(path).code == "unsafe_name"

    def test_no_name_at_all_is_refused(self, tmp_path: Path) -> None:
        assert refusal(zipped(tmp_path / "a.zip", [("", b"x")])).code == "unsafe_name"

    def test_a_name_that_ends_early_for_others_is_refused(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "a.zip", [("good.tif_.exe", b"x")])
        path.write_bytes(path.read_bytes().replace(b"good.tif_", b"good.tif\0"))
        assert refusal(path).code == "unsafe_name"

    @pytest.mark.parametrize(
        "pair",
        [
            ("a.tif", "a.tif"), ("a.tif", "A.TIF"), ("a.tif", "./a.tif"), ("x/a.tif", "x\\a.tif"),
            (unicodedata.normalize("NFC", "é.tif"), unicodedata.normalize("NFD", "é.tif")),
            ("straße", "STRASSE"), ("ﬁle", "file"), ("a", "a/b"), ("a/b", "a"), ("a/b", "A"),
        ],
    )  # fmt: skip
    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_one_name_twice_is_refused(self, pair: tuple[str, str], tmp_path: Path) -> None:
        for kind in ("zip", "tar"):
            path = packed(tmp_path / kind, [(name, b"x") for name in pair], kind)
            assert refusal(path).code == "duplicate_name"

    def test_a_refusal_shows_no_control_characters(self, tmp_path: Path) -> None:
        message = refusal(zipped(tmp_path / "a.zip", [("\x1b[2J" * 50, b"x")])).message
        assert message.isprintable()
        assert len(message) < 250


class TestNoFiles:
    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
    )
    def test_links_and_devices_are_refused(self, kind: bytes, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            info = tarfile.TarInfo("a")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        assert refusal(tmp_path / "a.tar").code == "not_a_file"

    def test_links_in_a_zip_too(self, tmp_path: Path) -> None:
        info = zipfile.ZipInfo("a")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(info, "/etc/passwd")
        assert refusal(tmp_path / "a.zip").code == "not_a_file"

    def test_encrypted_ones_are_refused(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "a.zip", [("a", b"x")])
        raw = bytearray(path.read_bytes())
        for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            raw[raw.find(magic) + at] |= 1
        path.write_bytes(raw)
        assert "encrypted" in refusal(path).message

    def test_rare_compression_is_refused(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "a.zip", [("a", b"x" * 99)], zipfile.ZIP_LZMA)
        assert "method 14" in refusal(path).message


class TestLimits:
    LIMITS = Limits(members=5, member_bytes=30_000, total_bytes=50_000)

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_just_fits_is_taken(self, kind: str, tmp_path: Path) -> None:
        files = [("a", bytes(30_000)), ("b", bytes(20_000))]
        assert contents(packed(tmp_path / "a", files, kind), self.LIMITS) == dict(files)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        ("files", "code"),
        [
            ([("a", bytes(30_001))], "member_too_large"),
            ([("a", bytes(30_000)), ("b", bytes(20_001))], "archive_too_large"),
            ([(str(number), b"") for number in range(6)], "too_many_files"),
        ],
    )
    def test_what_just_does_not_is_refused(self, kind: str, files: Files, code: str, tmp_path: Path) -> None:
        assert refusal(packed(tmp_path / "a", files, kind), self.LIMITS).code == code

    def test_bytes_are_counted_not_believed(self, tmp_path: Path) -> None:
        """The header says 10 bytes; 100,000 come out."""
        path = zipped(tmp_path / "a.zip", [("a", bytes(100_000))])
        raw = path.read_bytes().replace(struct.pack("<L", 100_000), struct.pack("<L", 10))
        path.write_bytes(raw)
        assert refusal(path, self.LIMITS).code in ("broken_archive", "member_too_large")

    @pytest.mark.parametrize("kind", KINDS)
    def test_bombs_are_refused_before_they_are_unpacked(self, kind: str, tmp_path: Path) -> None:
        bomb = packed(tmp_path / "bomb", [(str(number), bytes(8 * MEBI)) for number in range(8)], kind)
        limits = Limits(ratio=200 if kind != "tar" else 0.5)
        n = 0
        with pytest.raises(InvalidInput) as refused, open_archive(bomb, limits) as members:
            for member in members:
                while chunk := member.stream.read(MEBI):
                    n += len(chunk)
        assert refused.value.code == "archive_bomb"
        assert n <= 32 * MEBI

    @pytest.mark.parametrize("kind", KINDS[2:])
    def test_also_where_nobody_reads_the_members(self, kind: str, tmp_path: Path) -> None:
        bomb = packed(tmp_path / "bomb", [("a", bytes(64 * MEBI)), ("b", b"")], kind)
        with pytest.raises(InvalidInput, match="200 times its size"), open_archive(bomb) as members:
            for _member in members:
                pass

    def test_a_zip_whose_files_share_their_bytes(self, tmp_path: Path) -> None:
        """As the non-recursive bombs: many entries, one kernel."""
        path = zipped(tmp_path / "a.zip", [("a", bytes(4 * MEBI))])
        with zipfile.ZipFile(path) as archive:
            [info] = archive.infolist()
        raw = path.read_bytes()
        at = raw.index(b"PK\x01\x02")
        entry, n = raw[at : raw.index(b"PK\x05\x06")], 5000
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, n, n, n * len(entry), at, 0)
        path.write_bytes(raw[:at] + entry * n + end)
        assert info.file_size == 4 * MEBI
        assert refusal(path).code in ("duplicate_name", "archive_bomb")

    def test_a_table_of_contents_as_large_as_a_book(self, tmp_path: Path) -> None:
        path = tmp_path / "a.zip"
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 10**9, 0, 0)
        path.write_bytes(end)
        assert refusal(path).code == "too_many_files"
        large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, 10**10, 0)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 4, 1)
        path.write_bytes(b"PK\x05\x06" + large + locator + end)
        assert refusal(path).code == "too_many_files"

    def test_a_note_as_large_as_a_book(self, tmp_path: Path) -> None:
        for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
            info = tarfile.TarInfo("note")
            info.type, info.size = kind, 300_000
            header = info.tobuf(tarfile.GNU_FORMAT)
            (tmp_path / "a.tar").write_bytes(header + bytes(300_032) + bytes(1024))
            assert "note of 300,000 bytes" in refusal(tmp_path / "a.tar").message

    def test_an_xz_that_asks_for_gigabytes_of_memory(self, tmp_path: Path) -> None:
        plain = tarred(tmp_path / "a.tar", FILES.items()).read_bytes()
        small = lzma.compress(plain, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}])
        # The dictionary's size is one byte of the header, with a checksum of its own.
        header = bytearray(small[12:24])
        assert header[0] == 2
        header[4] = 36  # 2 GiB
        header[8:12] = struct.pack("<L", zlib.crc32(bytes(header[:8])))
        (tmp_path / "a.xz").write_bytes(small[:12] + bytes(header) + small[24:])
        assert refusal(tmp_path / "a.xz").code == "broken_archive"

    def test_a_file_with_holes(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
            info = tarfile.TarInfo("holes")
            info.pax_headers = {
                "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,0",
                "GNU.sparse.size": str(10**15),
            }  # fmt: skip
            archive.addfile(info)
        assert refusal(tmp_path / "a.tar").code == "not_a_file"


class TestDamage:
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_cut_short_is_said(self, kind: str, tmp_path: Path) -> None:
        noise = bytes(range(256)) * 100
        raw = packed(tmp_path / "a", [("a", noise), ("b", noise[::-1])], kind).read_bytes()
        for share in (0.3, 0.6, 0.9):
            (tmp_path / "a").write_bytes(raw[: int(len(raw) * share)])
            if kind == "tar" and share == 0.9:
                # tar ends in zeros, of which some may be missing.
                continue
            assert refusal(tmp_path / "a").code == "broken_archive"

    def test_a_compressed_file_that_is_no_tar(self, tmp_path: Path) -> None:
        for pack in (gzip.compress, bz2.compress, lzma.compress):
            (tmp_path / "a").write_bytes(pack(b"just text"))
            assert refusal(tmp_path / "a").code == "broken_archive"

    def test_other_files_are_no_archives(self, tmp_path: Path) -> None:
        for content in (b"", b"II*\0", b"PK", b"Rar!\x1a\x07\x00", b"7z\xbc\xaf\x27\x1c"):
            (tmp_path / "a").write_bytes(content)
            assert kind_of(tmp_path / "a") is None
            assert refusal(tmp_path / "a").code == "not_an_archive"

    def test_errors_of_the_reader_are_its_own(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "a.zip", FILES.items())
        with pytest.raises(OSError, match="disk full"), open_archive(path) as members:
            for _member in members:
                raise OSError("disk full")


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(UNSAFE)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(names=st.lists(NAMES, max_size=6), kind=st.sampled_from(["zip", "tar", "tar.gz"]))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_whatever_the_names_nothing_lands_outside(names: list[str], kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.rmtree(tmp_path, ignore_errors=True)
    folder.mkdir(parents=True)
    path = packed(tmp_path / "a", [(name or "n", name.encode()) for name in names], kind)
    try:
        stored = extract(path, folder)
    except InvalidInput:
        stored = []
    assert all(p.resolve().is_relative_to(folder.resolve()) and p.is_file() for p in stored)
    assert {p.name for p in tmp_path.iterdir()} <= {"a", "out"}
    assert not any(p.is_symlink() for p in folder.rglob("*"))


def _bytes_of(tmp: Path, kind: str) -> bytes:
    return packed(tmp, FILES.items(), kind).read_bytes()


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_whatever_the_damage_it_is_refused_in_words_or_read(
    data: st.DataObject, kind: str, tmp_path: Path, whole: Callable[[str], bytes]
) -> None:
    raw = bytearray(whole(kind))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(raw), len(raw), data.draw(st.integers(0, len(raw)))]))
    path = tmp_path / "fuzzed"
    path.write_bytes(raw[:cut])
    limits = Limits(members=20, member_bytes=MEBI, total_bytes=2 * MEBI)
    try:
        read = contents(path, limits)
    except InvalidInput as refused:
        assert refused.message.endswith(".")
    else:
        assert sum(map(len, read.values())) <= 2 * MEBI


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    folder = tmp_path_factory.mktemp("whole")
    made = {kind: _bytes_of(folder / kind, kind) for kind in KINDS}
    return made.__getitem__
