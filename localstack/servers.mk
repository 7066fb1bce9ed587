# Local S3 servers. Included by the Makefile, which provides `venv` and $(BIN).

.PHONY: up down servers ollama

up: venv ## a local S3 server in the background: eval "$(make -s up)"; STORE=minio or STORE=seaweedfs
	@STORE="$(STORE)" $(BIN)/python -m localstack.up

down: venv ## stops the local S3 server; its data stay in localstack/.data
	@$(BIN)/python -m localstack.down

servers: venv ## the servers of the tests: MinIO is built once (3 minutes, needs Go), SeaweedFS is in .venv
	@$(BIN)/python -m localstack.servers_ready

ollama: venv ## the Ollama daemon of the chat tests: built once (3 minutes, needs Go, gcc, g++), its model is 98 MB
	@$(BIN)/python -m localstack.ollama_ready
