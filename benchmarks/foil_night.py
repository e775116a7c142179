"""A nightly account in a process of its own: `python -m benchmarks.foil_night WORKFLOW`, then a JSON line."""

import json
import resource
import sys
import time

import django


def main(workflow_pk: int) -> dict[str, object]:
    """Take it, and say how long that took and how much memory was used at most."""
    django.setup()
    from review.models import Workflow
    from review.services.foils.results import reckoning

    workflow, begun = Workflow.objects.get(pk=workflow_pk), time.perf_counter()
    made = reckoning.reckon(workflow)
    return {
        "answers": made.n_answers,
        "people": made.n_people,
        "subjects": made.n_subjects,
        "seconds": time.perf_counter() - begun,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
