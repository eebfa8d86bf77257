"""MAUVE by the package of its authors, for benchmarks/mauve_package.py: vectors from a file; values, histograms and seconds as JSON.

Called with the path of an .npz with p0, q0, p1, q1 …, then number of clusters, scaling factor and seeds, each with commas between.
"""

import json
import sys
import time

import numpy as np
from mauve import compute_mauve

sets = np.load(sys.argv[1])
clusters, scalings, seeds = int(sys.argv[2]), [float(c) for c in sys.argv[3].split(",")], [int(seed) for seed in sys.argv[4].split(",")]
found = []
for number in range(len(sets.files) // 2):
    p, q = sets[f"p{number}"], sets[f"q{number}"]
    for scaling in scalings:
        for seed in seeds:
            began = time.process_time()
            said = compute_mauve(p_features=p, q_features=q, num_buckets=clusters, mauve_scaling_factor=scaling, seed=seed, verbose=False)
            about = {"pair": number, "scaling": scaling, "seed": seed, "cpu": time.process_time() - began, "mauve": float(said.mauve)}
            found.append(about | {"p": said.p_hist.tolist(), "q": said.q_hist.tolist()})
print(json.dumps(found))
