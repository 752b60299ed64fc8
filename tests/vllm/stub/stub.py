"""Stands in for vLLM where no lab machine can run it: its command line, what it says and how it gets ready.

Taken from the source of vLLM 0.32.0: flags.txt from engine/arg_utils.py and entrypoints/launchers/cli_args.py;
the words of the log from v1/worker/gpu/model_runner.py and v1/core/kv_cache_utils.py; whom it refuses, and with
what, from entrypoints/serve/middleware/authenticate.py. It answers nothing before the model is loaded.

What a test decides stands in the model's config.json: `stub_seconds` until it is loaded, `stub_context` that fits.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

# Short forms that stand for a flag with a value.
SHORT = {"-tp": "--tensor-parallel-size", "-pp": "--pipeline-parallel-size", "-q": "--quantization"}
# Flags without a value, of those that tests give.
SWITCHES = {"--enforce-eager", "--enable-prefix-caching", "--trust-remote-code"}


def log(text):
    print(f"INFO [stub.py] {text}", file=sys.stderr, flush=True)


def parse(words):
    known = set((files("vllm") / "flags.txt").read_text().split())
    if not words or words[0] != "serve":
        sys.exit("usage: vllm serve [model_tag] [options]")
    options, rest, unknown = {}, [], []
    words = words[1:]
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        name = SHORT.get(name, name.replace("_", "-"))
        positive = "--" + name[5:] if name.startswith("--no-") else name
        if positive not in known:
            unknown.append(word)
        elif name in SWITCHES or name.startswith("--no-"):
            options[positive] = name == positive
        elif equals:
            options[name] = value
        elif words:
            options[name] = words.pop(0)
        else:
            sys.exit(f"vllm serve: error: argument {name}: expected one argument")
    if unknown or len(rest) != 1:
        sys.exit(f"vllm serve: error: unrecognized arguments: {' '.join(unknown + rest[1:])}")
    return rest[0], options


def load(model, options):
    if os.environ.get("HF_HUB_OFFLINE") != "1":
        sys.exit("OSError: the stub serves local files alone, and HF_HUB_OFFLINE is not set")
    with open(os.path.join(model, "config.json")) as file:
        config = json.load(file)
    weights = [name for name in os.listdir(model) if name.endswith(".safetensors")]
    if not weights:
        sys.exit(f"RuntimeError: Cannot find any model weights with `{model}`")
    share = float(options.get("--gpu-memory-utilization", 0.92))
    if not 0 < share <= 1:
        sys.exit(f"ValueError: GPU memory utilization must be in (0, 1], got {share}.")
    # What is compiled, and what its processes share.
    for folder in (os.environ["VLLM_CACHE_ROOT"], os.environ["TRITON_CACHE_DIR"]):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "compiled"), "w") as file:
            file.write("code\n")
    with open(f"/dev/shm/psm_{os.getpid()}", "w"):
        os.remove(f"/dev/shm/psm_{os.getpid()}")
    time.sleep(config.get("stub_seconds", 1))
    log("Model loading took 0.01 GiB memory and 0.100000 seconds")
    fits = config.get("stub_context", config["max_position_embeddings"])
    wanted = options.get("--max-model-len", str(config["max_position_embeddings"]))
    length = fits if wanted == "auto" else int(wanted)
    if length > fits:
        sys.exit(
            f"ValueError: To serve at least one request with the model's max seq len ({length}), (6.30 GiB KV cache is "
            "needed, which is larger than the available KV cache memory (1.31 GiB). Based on the available memory, the "
            f"estimated maximum model length is {fits}. Try increasing `gpu_memory_utilization` (which also controls CPU "
            "memory on the CPU backend) or decreasing `max_model_len` when initializing the engine. See "
            "https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details."
        )
    log(f"GPU KV cache size: {2 * fits:,} tokens, Maximum concurrency for {length:,} tokens per request: {2 * fits / length:.2f}x")


def handler(model, name):
    key = os.environ.get("VLLM_API_KEY")

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, body, kind="application/json"):
            data = body.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def refused(self):
            guarded = self.path.startswith(("/v1", "/v2", "/inference", "/cohere"))
            if not guarded or not key or self.headers.get("authorization") == f"Bearer {key}":
                return False
            self.answer(401, json.dumps({"error": "Unauthorized"}))
            return True

        def do_GET(self):
            if self.refused():
                return
            if self.path == "/health":
                self.answer(200, "")
            elif self.path == "/v1/models":
                self.answer(200, json.dumps({"object": "list", "data": [{"id": name, "object": "model", "root": model}]}))
            elif self.path == "/metrics":
                self.answer(200, f'vllm:num_requests_running{{model_name="{name}"}} 0.0\n', "text/plain")
            else:
                self.answer(404, json.dumps({"detail": "Not Found"}))

        def do_POST(self):
            if self.refused():
                return
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path != "/v1/chat/completions":
                self.answer(404, json.dumps({"detail": "Not Found"}))
            elif asked["model"] != name:
                text = f"The model `{asked['model']}` does not exist."
                self.answer(404, json.dumps({"error": {"message": text, "type": "NotFoundError", "code": 404}}))
            else:
                message = {"role": "assistant", "content": "Hello from the stub"}
                self.answer(200, json.dumps({"model": name, "choices": [{"index": 0, "message": message}]}))

    return Handler


def main():
    model, options = parse(sys.argv[1:])
    load(model, options)
    address = (options.get("--host", "0.0.0.0"), int(options.get("--port", 8000)))
    server = ThreadingHTTPServer(address, handler(model, options.get("--served-model-name", model)))
    log("Application startup complete.")
    server.serve_forever()
