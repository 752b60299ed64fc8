import { type Device, usableMiB } from "#models/fit/settings.ts";

/** A GPU as it is recorded or asked for. */
export interface GpuMemory {
  /** `memory.total`, MiB; `undefined` where the driver does not tell (`[N/A]`: unified memory). */
  readonly memoryMiB?: number | undefined;
  /** `memory.reserved`, MiB: what the driver keeps for itself. */
  readonly reservedMiB?: number | undefined;
  readonly computeCapability?: string | undefined;
}

/** What of a GPU is not free for a new service, MiB. */
export interface Taken {
  /** Kept back by the operator. */
  readonly reserveMiB?: number;
  /** Needs of services that are declared for this GPU. */
  readonly declaredMiB?: number;
  /** Processes that belong to no service of ours. */
  readonly foreignMiB?: number;
}

/**
 * A recorded GPU as a device to plan with: free is what programs can have, less what is taken.
 * @param name as an operator knows it: `rack1 CUDA0`
 * @param machineMiB memory of the machine that is free for GPUs, where they share it (GB10, Jetson)
 */
export function plannedDevice(
  name: string,
  { memoryMiB, reservedMiB, computeCapability }: GpuMemory,
  { reserveMiB = 0, declaredMiB = 0, foreignMiB = 0 }: Taken = {},
  machineMiB?: number,
): Device {
  const own =
    memoryMiB === undefined
      ? undefined
      : reservedMiB === undefined
        ? usableMiB(memoryMiB)
        : memoryMiB - reservedMiB;
  const totalMiB = own ?? machineMiB;
  const taken = reserveMiB + declaredMiB + foreignMiB;
  const freeMiB = totalMiB === undefined ? undefined : Math.max(0, totalMiB - taken);
  return { name, totalMiB, freeMiB, computeCapability };
}
