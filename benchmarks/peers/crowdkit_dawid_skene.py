"""crowd-kit's Dawid–Skene: reads VOTES.csv (task,worker,label), writes FOUND.csv (task,label)."""

import sys

import pandas as pd
from crowdkit.aggregation import DawidSkene

votes = pd.read_csv(sys.argv[1])
DawidSkene(n_iter=100).fit_predict(votes).rename("label").to_csv(sys.argv[2])
