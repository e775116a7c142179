import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlcore import api
from mlcore.artifact import ModelCard, write_artifact
from mlcore.errors import Cancelled, InvalidInput
from mlcore.events import EventLog, read_events, request_cancel


@pytest.mark.parametrize("kind", [api.TrainJob, api.EvaluateJob, api.PredictJob, api.ScoreJob])
def test_it_works_every_job_goes_through_a_file(kind: type, tmp_path: Path):
    job = kind.example()
    api.write_job(job, tmp_path / "job.json")
    assert api.read_job(tmp_path / "job.json") == job


def test_importing_the_seam_loads_no_torch():
    code = "import sys, mlcore.api, mlcore.registry, mlcore.dataset; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_verb_is_refused(tmp_path: Path):
    (tmp_path / "job.json").write_text(json.dumps({"verb": "destroy"}))
    with pytest.raises(InvalidInput, match="train, evaluate, predict"):
        api.read_job(tmp_path / "job.json")


def test_an_unknown_attribute_is_refused():
    with pytest.raises(InvalidInput, match="no attribute epochs"):
        api.job_from_json({**api.job_to_json(api.TrainJob.example()), "epochs": 3})


def test_a_missing_attribute_is_named():
    with pytest.raises(InvalidInput, match="dataset_dir"):
        api.job_from_json({"verb": "train", "out_dir": "x"})


def test_a_file_that_is_no_job_is_refused(tmp_path: Path):
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(InvalidInput, match="cannot be read as JSON"):
        api.read_job(tmp_path / "job.json")


def test_events_are_read_from_where_the_reader_stopped(tmp_path: Path):
    log = EventLog(tmp_path)
    log.log("hello")
    first, offset = read_events(tmp_path)
    assert [event["message"] for event in first] == ["hello"]
    log.metric("loss", 1, 0.5)
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"kind": "log", "mess')  # a line still being written
    second, offset = read_events(tmp_path, offset)
    assert [(event["kind"], event.get("value")) for event in second] == [("metric", 0.5)]
    assert read_events(tmp_path, offset)[0] == []


def test_each_event_knows_its_place(tmp_path: Path):
    log = EventLog(tmp_path)
    for message in ("one", "zwei ä", "three"):
        log.log(message)
    events, offset = read_events(tmp_path)
    for event in events:
        again, _ = read_events(tmp_path, event["position"])
        assert again[0] == event
    assert offset == (tmp_path / "events.jsonl").stat().st_size


def test_who_goes_on_in_a_folder_cuts_the_line_at_which_the_one_before_was_killed(tmp_path: Path):
    EventLog(tmp_path).log("whole")
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"kind": "log", "mess')
    EventLog(tmp_path).log("goes on")
    assert [event["message"] for event in read_events(tmp_path)[0]] == ["whole", "goes on"]


def test_a_wish_to_stop_reaches_the_child(tmp_path: Path):
    log = EventLog(tmp_path)
    log.check_cancelled()
    request_cancel(tmp_path)
    with pytest.raises(Cancelled):
        log.check_cancelled()


def test_an_artifact_is_whole_or_absent(tmp_path: Path):
    def breaks(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError):
        write_artifact(tmp_path / "artifact", ModelCard.example(), breaks)
    with pytest.raises(InvalidInput, match="is no model"):
        api.read_card(tmp_path / "artifact")
    write_artifact(tmp_path / "artifact", ModelCard.example(), lambda path: path.write_bytes(b"w") and None)
    assert api.read_card(tmp_path / "artifact") == ModelCard.example()


def test_a_card_of_another_version_is_refused():
    with pytest.raises(InvalidInput, match="colour"):
        ModelCard.from_json({**ModelCard.example().to_json(), "colour": "red"})
