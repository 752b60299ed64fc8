/** What decides which CUDA programs a machine runs; `undefined`: nobody has looked, or none is known. */
export interface CudaMachine {
  readonly gpus?: readonly { readonly computeCapability?: string | undefined }[] | undefined;
  /** Version of its NVIDIA driver, such as 580.95.05. */
  readonly driver?: string | undefined;
}

/**
 * What programs of a CUDA generation need at least, newest generation first (NVIDIA's compatibility tables).
 */
const generations = [
  { cuda: 13, driver: 580, computeCapability: 7.5 },
  { cuda: 12, driver: 525, computeCapability: 5.0 },
] as const;

const branchOf = (driver: string) => Number.parseInt(driver, 10);

/**
 * The newest CUDA generation whose programs a machine runs, 0 if it has no NVIDIA GPU; or why that cannot be
 * told.
 */
export function newestCuda({
  gpus,
  driver,
}: CudaMachine): { readonly cuda: number } | { readonly unclear: string } {
  if (gpus === undefined) return { unclear: "nothing is recorded of its GPUs" };
  if (gpus.length === 0) return { cuda: 0 };
  if (driver === undefined) return { unclear: "it has an NVIDIA GPU, and no driver is recorded" };
  const oldest = Math.min(...gpus.map(({ computeCapability = "99" }) => Number(computeCapability)));
  const found = generations.find((it) => branchOf(driver) >= it.driver && oldest >= it.computeCapability);
  if (found) return { cuda: found.cuda };
  return { unclear: `its driver ${driver} or its GPU is too old for CUDA 12` };
}

/** Why a machine cannot run programs of a CUDA generation; `undefined`: nothing known speaks against it. */
export function cudaProblem(cuda: number, { driver }: CudaMachine): string | undefined {
  const needed = generations.find((it) => it.cuda === cuda)?.driver;
  if (needed === undefined || driver === undefined || branchOf(driver) >= needed) return undefined;
  return `CUDA ${cuda} needs driver ${needed} or newer, and it has ${driver}`;
}
