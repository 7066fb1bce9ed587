"""A local S3 server for trying gpujob out and for its tests. `make up` starts one, `make down` stops it."""
