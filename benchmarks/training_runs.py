"""Trainings of benchmarks: run once in a process of their own, taken up where they were broken off."""

import json
import os
import time
from pathlib import Path

from mlcore import api
from mlcore.dataset import MANIFEST_FILE
from mlcore.errors import TektiteError
from mlcore.registry import get_system


def trained(job: api.TrainJob) -> tuple[Path, dict[str, float]]:
    """The artifact of a training and what it took.

    A training that was broken off goes on; a finished one of the same dataset, settings and seed is used.

    Args:
        job: Its out_dir is the training's own.

    Returns:
        The artifact's folder; wall and CPU seconds, resumptions added up.
    """
    run = Path(job.out_dir)
    artifact, times = run / api.ARTIFACT_FOLDER, run / "times.json"
    if artifact.exists() and _is_of(api.read_card(artifact), job):
        return artifact, json.loads(times.read_text())
    taken = json.loads(times.read_text()) if times.exists() else {"wall_s": 0.0, "cpu_s": 0.0}
    api.write_job(job, run / "job.json")
    started = time.monotonic()
    process = api.start(run / "job.json", run / "log.txt")
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        api.end(process)
        raise
    taken = {
        "wall_s": round(taken["wall_s"] + time.monotonic() - started, 1),
        "cpu_s": round(taken["cpu_s"] + usage.ru_utime + usage.ru_stime, 1),
    }
    times.write_text(json.dumps(taken))
    if status:
        raise TektiteError(f"The training in {run} ended with status {status}; its log.txt says why.")
    return artifact, taken


def _is_of(card: api.ModelCard, job: api.TrainJob) -> bool:
    dataset = json.loads((Path(job.dataset_dir) / MANIFEST_FILE).read_text())["sha256"]
    config = get_system(job.system).config(job.preset, job.overrides).to_json()
    asked = (job.system, dataset, job.seed, json.dumps(config, sort_keys=True))
    return asked == (card.system, card.dataset_sha256, card.seed, json.dumps(card.config, sort_keys=True))
