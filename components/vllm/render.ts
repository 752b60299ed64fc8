import { listenAddress, modelName } from "#components/serving/api.ts";
import { renderServingUnit, unitWords } from "#components/serving/unit.ts";
import type { VllmService } from "./schema.ts";
import type { Variant } from "./variant.ts";

/** Unit, folders and files of a service on its machine. */
export function namesOf(service: string) {
  const folder = `/etc/gpu-hosts/${service}`;
  return {
    unit: `vllm-${service}.service`,
    folder,
    apiKey: `${folder}/api-key`,
    /** Hands the key to vLLM, which takes it as an argument or in the environment. */
    environment: `${folder}/vllm.env`,
    /** Below /var/cache: what it compiles, which the next start finds again. */
    cache: `vllm-${service}`,
  };
}

/** What the unit is made of, beside the configuration of the service. */
export interface Parts {
  /** Name of the service. */
  readonly name: string;
  readonly variant: Variant;
  /** Folder of the environment. */
  readonly venv: string;
  /** Folder of the model. */
  readonly model: string;
  /** Address of the machine. */
  readonly address: string;
}

function environmentOf(service: VllmService, { name, variant, venv }: Parts): string[] {
  const cache = `/var/cache/${namesOf(name).cache}`;
  return [
    // ninja and other tools of its packages, for what is compiled at the first start.
    `PATH=${venv}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    `HOME=${cache}`,
    `XDG_CACHE_HOME=${cache}`,
    `VLLM_CACHE_ROOT=${cache}/vllm`,
    `VLLM_CONFIG_ROOT=${cache}/config`,
    `TRITON_CACHE_DIR=${cache}/triton`,
    `TORCHINDUCTOR_CACHE_DIR=${cache}/inductor`,
    `HF_HOME=${cache}/huggingface`,
    // The model lies here, and nothing else is fetched at a start.
    "HF_HUB_OFFLINE=1",
    "VLLM_NO_USAGE_STATS=1",
    "VLLM_DO_NOT_TRACK=1",
    // Its processes talk to each other on this machine alone.
    "VLLM_HOST_IP=127.0.0.1",
    `VLLM_ENGINE_READY_TIMEOUT_S=${service.deadlineMinutes * 60}`,
    ...(variant === "cpu"
      ? service.cpuCacheGiB === undefined
        ? []
        : [`VLLM_CPU_KVCACHE_SPACE=${service.cpuCacheGiB}`]
      : // Its sampler would compile with nvcc, which no machine needs for anything else.
        ["VLLM_USE_FLASHINFER_SAMPLER=0"]),
  ];
}

/** Arguments of `vllm serve`; the API key is none. */
function serveArgs(service: VllmService, { name, model, address }: Parts): (string | number)[] {
  const optional = [
    ["--quantization", service.quantization],
    ["--dtype", service.dtype],
    ["--kv-cache-dtype", service.kvCacheDtype],
    ["--max-model-len", service.maxModelLen],
    ["--gpu-memory-utilization", service.memoryShare],
  ] as const;
  return [
    model,
    // Always: by itself it listens at all addresses.
    ...["--host", listenAddress(service, address)],
    ...["--port", service.port],
    ...["--served-model-name", modelName(name, service)],
    ...["--tensor-parallel-size", service.tensorParallel],
    ...["--pipeline-parallel-size", service.pipelineParallel],
    ...optional.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])),
    ...service.extraArgs,
  ];
}

/**
 * The server's unit. Its caches hold code that it compiled and will run: they are its own. No
 * MemoryDenyWriteExecute, as it compiles while it runs.
 */
export function renderServer(service: VllmService, parts: Parts): string {
  const names = namesOf(parts.name);
  const program = `${parts.venv}/bin/vllm`;
  const lines = `ExecStart=${program} serve ${unitWords(serveArgs(service, parts))}
${service.apiKey ? `EnvironmentFile=${names.environment}\n` : ""}CacheDirectory=${names.cache}
CacheDirectoryMode=0700
LimitMEMLOCK=infinity
LimitNOFILE=65536
KillMode=mixed
TimeoutStartSec=infinity
TimeoutStopSec=60`;
  return renderServingUnit({
    description: `vLLM server of ${parts.name}`,
    environment: environmentOf(service, parts),
    lines,
    restartSeconds: 10,
  });
}
