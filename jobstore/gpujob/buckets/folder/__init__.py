"""The embedded store: a bucket in a folder of this machine. `bucket` holds the verbs, `steps` what makes them atomic."""

from gpujob.buckets.folder.bucket import FolderBucket

__all__ = ["FolderBucket"]
