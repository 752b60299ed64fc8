import { z } from "zod";

const allowReboot = z
  .boolean()
  .default(false)
  .describe(
    "Restart the machine where the driver that is loaded is not the one that is installed. Without it `up` stops there and says so.",
  );

/**
 * What is wished of a machine's NVIDIA driver. Its version as found is another key of the entry, `driver`:
 * that one is a fact which `host refresh` overwrites.
 */
export const nvidiaWish = z
  .discriminatedUnion("driver", [
    z.strictObject({
      driver: z
        .literal("present")
        .describe(
          "present: somebody else installs the driver, and it is only watched. managed: it comes from NVIDIA's repository and is kept at one branch.",
        ),
      minimum: z
        .int()
        .min(1)
        .default(525)
        .describe("Oldest branch that will do. 525: CUDA 12; 580: CUDA 13."),
      allowReboot,
    }),
    z.strictObject({
      driver: z
        .literal("managed")
        .describe("The driver comes from NVIDIA's repository and is kept at one branch."),
      branch: z.int().min(1).default(580).describe("Branch that is installed and kept."),
      modules: z
        .enum(["auto", "open", "proprietary"])
        .default("auto")
        .describe("Kernel modules. auto: what all recorded GPUs of the machine take, open where both do."),
      allowReboot,
    }),
  ])
  .describe(
    "The NVIDIA driver. Default: `driver: present` where GPUs and a driver are recorded, else nothing.",
  );
export type NvidiaWish = z.output<typeof nvidiaWish>;
