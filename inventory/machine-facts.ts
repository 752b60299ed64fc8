import { z } from "zod";
import { oneLine } from "./kinds.ts";

const gpu = z.strictObject({
  model: oneLine.min(1).describe("Name of the GPU as its driver, or without one the PCI list, gives it."),
  memoryGiB: z.number().positive().optional().describe("Memory of the GPU; absent where no driver tells."),
  computeCapability: z
    .string()
    .regex(/^\d+(\.\d+)?$/, "must be a version such as 8.9")
    .optional()
    .describe('CUDA compute capability, such as "8.9"; decides which kernels run.'),
  uuid: oneLine.optional().describe("The GPU's own number, which survives a move to another slot."),
  pciId: oneLine
    .optional()
    .describe("PCI id of a card for which no driver answers, such as 10de:2684; decides which driver fits."),
});

/**
 * What a machine has: facts that `host add` and `host refresh` read and write, and that an operator may write
 * by hand. They change nothing on the machine.
 */
export const machineFacts = z.strictObject({
  release: oneLine.min(1).optional().describe("Operating system, as its /etc/os-release names it."),
  architecture: oneLine
    .min(1)
    .optional()
    .describe("Processor architecture, as `uname -m` prints it: x86_64."),
  cpuCores: z.int().min(1).optional().describe("Processor cores; threads of one core count once."),
  memoryGiB: z.number().positive().optional().describe("Main memory."),
  diskGiB: z
    .number()
    .positive()
    .optional()
    .describe("Size of the file system that holds /var/lib, where models lie."),
  driver: z
    .string()
    .regex(/^\d+(\.\d+)+$/, "must be a version such as 580.95.05")
    .optional()
    .describe("Version of its NVIDIA driver; decides which CUDA programs run."),
  gpus: z.array(gpu).optional().describe("NVIDIA GPUs in the order of nvidia-smi; empty: it has none."),
});
export type MachineFacts = z.output<typeof machineFacts>;
