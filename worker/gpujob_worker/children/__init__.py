"""Executors in processes of their own: what crashes there costs an attempt, never the worker."""
