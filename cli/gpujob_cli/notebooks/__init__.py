"""The worker's notebook: its cells in `worker.py`, and what makes a notebook of them in `building.py`."""
