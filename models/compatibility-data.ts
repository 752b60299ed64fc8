/**
 * Which build of an engine runs on which GPU and driver, as data. One line changes when a release moves;
 * every entry has its source and the day it was read.
 */

/** A statement and where it comes from. */
interface Sourced {
  readonly source: string;
  /** Day the source was read, ISO. */
  readonly read: string;
}

/** A CUDA generation that programs are built with. */
export interface CudaGeneration extends Sourced {
  readonly major: number;
  /** Driver branch from which every program of this generation starts (minor-version compatibility). */
  readonly driver: number;
  /** Lowest compute capability that its compilers still know. */
  readonly lowestCapability: number;
}

/** Newest first. */
export const cudaGenerations: readonly CudaGeneration[] = [
  {
    major: 13,
    driver: 580,
    lowestCapability: 7.5,
    source: "https://docs.nvidia.com/deploy/cuda-compatibility/",
    read: "2026-11-24",
  },
  {
    major: 12,
    driver: 525,
    lowestCapability: 5.0,
    source: "https://docs.nvidia.com/deploy/cuda-compatibility/",
    read: "2026-11-24",
  },
];

/** A build of an engine with CUDA. */
export interface CudaBuild extends Sourced {
  readonly engine: "vllm" | "llamacpp";
  readonly system: "linux" | "windows";
  /** As the engine's releases name it: `cu130`, `cuda-12.8`. `cuda-13` is whichever 13.x a release has. */
  readonly variant: string;
  /** CUDA that it was built with, such as 12.9. */
  readonly cuda: string;
  /** Driver branch that knows this CUDA; older ones, down to the generation's, cannot compile its PTX. */
  readonly fullDriver: number;
  /** Compute capabilities with machine code; it also runs on higher minor versions of the same major one. */
  readonly compiled: readonly string[];
  /** Those with PTX, which the driver compiles for this and any newer GPU at the first start. */
  readonly ptx: readonly string[];
  /** It compiles kernels while it runs (Triton, torch.compile): an older driver may stop it anywhere. */
  readonly compilesItself?: boolean;
  /** Lowest compute capability that the engine itself takes. */
  readonly lowest: string;
  /** Processors there is a build for, as `uname -m` prints them. */
  readonly processors: readonly string[];
}

const both = ["x86_64", "aarch64"];

/** In the order in which they are preferred. */
export const cudaBuilds: readonly CudaBuild[] = [
  {
    engine: "vllm",
    system: "linux",
    variant: "cu130",
    cuda: "13.0",
    fullDriver: 580,
    compiled: ["7.5", "8.0", "8.6", "8.7", "8.9", "9.0", "10.0", "11.0", "12.0"],
    ptx: [],
    compilesItself: true,
    lowest: "7.5",
    processors: both,
    source:
      "vLLM 0.20 to 0.33, the default wheel: pull 39878, issue 42756, CUDA_SUPPORTED_ARCHS in CMakeLists.txt",
    read: "2026-11-24",
  },
  {
    engine: "vllm",
    system: "linux",
    variant: "cu129",
    cuda: "12.9",
    fullDriver: 575,
    compiled: ["7.5", "8.0", "8.6", "8.7", "8.9", "9.0", "10.0", "12.0", "12.1"],
    ptx: [],
    compilesItself: true,
    lowest: "7.5",
    processors: both,
    source:
      "vLLM 0.20 to 0.33, the wheel +cu129 among the release's files: issue 42756, CUDA_SUPPORTED_ARCHS",
    read: "2026-11-24",
  },
  {
    engine: "llamacpp",
    system: "linux",
    variant: "cuda-13",
    cuda: "13.3",
    // CUDA 13.0 came with 580 and each minor version with a later branch; 610 is the one of 13.3's time.
    fullDriver: 610,
    compiled: ["8.6", "8.9", "12.0", "12.1"],
    ptx: ["7.5", "8.0", "9.0"],
    lowest: "7.5",
    processors: both,
    source:
      "llama.cpp's release archives and ggml/src/ggml-cuda/CMakeLists.txt (releases set no list of their own)",
    read: "2026-11-24",
  },
  {
    engine: "llamacpp",
    system: "linux",
    variant: "cuda-12",
    cuda: "12.8",
    fullDriver: 570,
    compiled: ["8.6", "8.9", "12.0"],
    ptx: ["5.0", "6.1", "7.0", "7.5", "8.0", "9.0"],
    lowest: "5.0",
    processors: both,
    source:
      "llama.cpp's release archives and ggml/src/ggml-cuda/CMakeLists.txt (releases set no list of their own)",
    read: "2026-11-24",
  },
  {
    engine: "llamacpp",
    system: "windows",
    variant: "cuda-13",
    cuda: "13.3",
    fullDriver: 610,
    compiled: ["8.6", "8.9", "12.0", "12.1"],
    ptx: ["7.5", "8.0", "9.0"],
    lowest: "7.5",
    processors: ["x86_64"],
    source: "llama.cpp's release archives (win-cuda-13.x) and ggml/src/ggml-cuda/CMakeLists.txt",
    read: "2026-11-24",
  },
  {
    engine: "llamacpp",
    system: "windows",
    variant: "cuda-12",
    cuda: "12.4",
    fullDriver: 550,
    compiled: ["8.6", "8.9"],
    ptx: ["5.0", "6.1", "7.0", "7.5", "8.0", "9.0"],
    lowest: "5.0",
    processors: ["x86_64"],
    source: "llama.cpp's release archives (win-cuda-12.4) and ggml/src/ggml-cuda/CMakeLists.txt",
    read: "2026-11-24",
  },
];

/** What a line of drivers can run, for operators who cannot move to a newer one. */
export interface DriverLine extends Sourced {
  /** First and last branch. */
  readonly from: number;
  readonly to: number;
  readonly means: string;
}

export const driverLines: readonly DriverLine[] = [
  {
    from: 580,
    to: 9999,
    means: "CUDA 13 and 12 in full",
    source: "https://docs.nvidia.com/deploy/cuda-compatibility/",
    read: "2026-11-24",
  },
  {
    from: 575,
    to: 579,
    means: "CUDA 12.9 in full: vLLM's wheel +cu129, llama.cpp's cuda-12",
    source: "https://docs.nvidia.com/deploy/cuda-compatibility/",
    read: "2026-11-24",
  },
  {
    from: 545,
    to: 574,
    means:
      "CUDA 12.3 to 12.8 in full, and 12.9 without compiling on the machine: vLLM's wheel +cu129 at one's own risk, llama.cpp's cuda-12; toolkit 12-4 from 550 on. A driver of 580 or newer removes the risk",
    source: "https://docs.nvidia.com/deploy/cuda-compatibility/ (minor-version compatibility)",
    read: "2026-11-24",
  },
  {
    from: 525,
    to: 544,
    means: "CUDA 12 by minor-version compatibility alone: llama.cpp's cuda-12; upgrade for vLLM",
    source: "https://docs.nvidia.com/deploy/cuda-compatibility/",
    read: "2026-11-24",
  },
];

/** Kernel modules a GPU generation needs, by compute capability. */
export const moduleFlavours: readonly (Sourced & {
  /** Up to this compute capability, inclusive. */
  readonly to: number;
  readonly flavours: readonly ("open" | "proprietary")[];
  readonly firstBranch?: number;
  readonly lastBranch?: number;
})[] = [
  {
    to: 7.4,
    flavours: ["proprietary"],
    lastBranch: 580,
    source: "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/kernel-modules.html",
    read: "2026-11-24",
  },
  {
    to: 9.9,
    flavours: ["open", "proprietary"],
    source: "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/kernel-modules.html",
    read: "2026-11-24",
  },
  {
    to: 99,
    flavours: ["open"],
    firstBranch: 570,
    source: "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/kernel-modules.html",
    read: "2026-11-24",
  },
];
