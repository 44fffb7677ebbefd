"""Speed as ratios: each stage of Onethread against an honest baseline, side by side in one run. `python -m bench`."""
