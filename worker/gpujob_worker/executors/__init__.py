"""What this worker can run: one module an executor, found through the entry point group `gpujob.executors`."""
