"""Every command with its one line of help, and where its function lives; nothing here is imported before it is run.

A command is a function whose first parameter is a `Session`; what it returns is its exit code (None is 0).
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command: the function that does it (`module:function` under `gpujob_cli.commands`) and its line in the menu.

    A `raw` one gets the list of its arguments as they are, in place of a session and flags.
    """

    where: str
    help: str
    raw: bool = False


Menu = dict[str, "Entry | dict[str, Entry]"]

SECTIONS: dict[str, tuple[str, ...]] = {
    "Try it": ("demo", "tts", "image", "chat", "encode", "echo"),
    "Jobs": ("submit", "wait", "ls", "show", "logs", "get", "cancel", "retry", "rm"),
    "Specs": ("validate", "schema"),
    "Workers and models": ("worker", "models"),
    "The store": ("init", "keys", "doctor", "gc", "fsck"),
}

COMMANDS: Menu = {
    "demo": Entry("demo:demo", "The tour of the README: real speech through a bucket, in ./demo-out."),
    "tts": Entry("tts:tts", "Speak a text; the audio files come back into a folder."),
    "image": Entry("image:image", "Paint a text; the pictures come back into a folder."),
    "chat": Entry("chat:chat", "Ask a language model; its answer is printed."),
    "encode": Entry("encode:encode", "Encode video with ffmpeg; the results come back into a folder."),
    "echo": Entry("echo:echo", "A job without a model: its message comes back."),
    "submit": Entry("submit:submit", "Put jobs in the queue: JSON, YAML or JSON lines."),
    "wait": Entry("wait:wait", "Wait for jobs, with progress or the reason why they wait."),
    "ls": Entry("ls:ls", "List active and recent jobs."),
    "show": Entry("show:show", "One job: its state, timeline, attempts and files."),
    "logs": Entry("logs:logs", "A job's log."),
    "get": Entry("get:get", "Download a job's files."),
    "cancel": Entry("cancel:cancel", "End jobs that have not ended."),
    "retry": Entry("retry:retry", "Submit ended jobs again, as new jobs."),
    "rm": Entry("rm:rm", "Remove ended jobs with their texts and files."),
    "validate": Entry("validate:validate", "All errors of a spec at once, without submitting it."),
    "schema": Entry("schema:schema", "The JSON Schema of specs, for editors."),
    "worker": {
        "run": Entry("worker_run:run", "Serve jobs on this machine.", raw=True),
        "ls": Entry("worker:ls", "List the live workers."),
        "drain": Entry("worker:drain", "Let a worker finish its job and leave."),
        "stop": Entry("worker:stop", "Let a worker give its job back and leave."),
        "notebook": Entry("worker_notebook:notebook", "Write a notebook that serves this queue on Colab or Jupyter."),
        "launch": Entry("worker_launch:launch", "Start a worker on Colab with Google's own command line."),
        "setup-gpu": Entry("worker_run:setup_gpu", "Install the onnxruntime that suits this GPU.", raw=True),
    },
    "models": {
        "ls": Entry("models:ls", "List the models that there are and those on this machine."),
        "pull": Entry("models:pull", "Fetch a model into this machine's cache."),
        "rm": Entry("models:rm", "Delete a model from this machine's cache."),
    },
    "init": Entry("init:init", "Check a bucket and make it a queue."),
    "keys": {
        "new": Entry("keys:new", "Make a key pair that signs jobs or results."),
        "ls": Entry("keys:ls", "List your key pairs."),
    },
    "doctor": Entry("doctor:doctor", "Examine this machine, the store and the queue."),
    "gc": Entry("gc:gc", "Remove what retention allows and nothing refers to."),
    "fsck": Entry("fsck:fsck", "Find damaged objects in the bucket, and end their jobs."),
}

GROUPS = {
    "worker": "Run, list and direct workers.",
    "models": "The models on this machine.",
    "keys": "The keys that sign jobs and results.",
}
