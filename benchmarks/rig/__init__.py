"""All of Tektite, started as an operator starts it, killed at will, brought back by a supervisor.

Tests of interruptions and the benchmark of them share this. Nothing of the house itself imports it.

    with Site() as site:
        site.kill("worker-gpu")        # kill -9 of everything that belongs to it
        site.wait_until_up("worker-gpu")
"""
