/** Arguments of `vllm serve` that a key of the service sets, by the key. */
const ours: Readonly<Record<string, string>> = {
  "--host": "listen",
  "--port": "port",
  "--model": "model",
  "--served-model-name": "alias",
  "--tokenizer": "model",
  "--revision": "model.revision",
  "--code-revision": "model.revision",
  "--tokenizer-revision": "model.revision",
  "--download-dir": "model",
  "--quantization": "quantization",
  "-q": "quantization",
  "--dtype": "dtype",
  "--kv-cache-dtype": "kvCacheDtype",
  "--max-model-len": "maxModelLen",
  "--gpu-memory-utilization": "memoryShare",
  "--device-memory-utilization": "memoryShare",
  "--tensor-parallel-size": "tensorParallel",
  "-tp": "tensorParallel",
  "--pipeline-parallel-size": "pipelineParallel",
  "-pp": "pipelineParallel",
};

/** Arguments that have no place here, and why. */
const refused: Readonly<Record<string, string>> = {
  "--api-key": "would be public on the machine; write the key `apiKey`",
  "--hf-token": "would be public on the machine, and it serves without the hub; write `model.token`",
  "--config": "would read a file that is not seen here; write its keys",
  "--uds": "would listen elsewhere than the service says",
  "--root-path": "would move the API away from where it is asked",
  "--headless": "serves nothing by itself",
  "--nnodes": "needs several machines, which this service does not have",
  "-n": "needs several machines, which this service does not have",
  "--node-rank": "needs several machines, which this service does not have",
  "-r": "needs several machines, which this service does not have",
  "--master-addr": "needs several machines, which this service does not have",
  "--ssl-keyfile": "makes it speak TLS, and it is asked without",
  "--ssl-certfile": "makes it speak TLS, and it is asked without",
};

/**
 * Why a word cannot be one of the further arguments; `undefined`: it can.
 * @param before the word before it, which it may be the value of
 */
export function argumentProblem(word: string, before: string | undefined): string | undefined {
  if (word === "" || /[\n\0]/.test(word)) return "must be one word in one line";
  if (!word.startsWith("-") || /^-\d/.test(word))
    return before?.startsWith("-") && !before.includes("=")
      ? undefined
      : "belongs to no argument; write the argument before it";
  // vLLM takes a_b as a-b, and --a=b.
  const name = (word.split("=")[0] ?? "").replaceAll("_", "-");
  if (ours[name]) return `is set by the key ${ours[name]}; write that`;
  return refused[name];
}
