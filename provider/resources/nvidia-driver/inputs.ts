import { z } from "zod";

export const inputs = z
  .strictObject({
    driver: z
      .enum(["present", "managed"])
      .default("present")
      .describe(
        "present: somebody else installs the driver; it is only watched. managed: it is installed from NVIDIA's repository and kept at its branch.",
      ),
    minimum: z.int().min(1).default(525).describe("Oldest branch that will do, such as 525."),
    branch: z.int().min(1).optional().describe("managed: branch that is installed and kept, such as 580."),
    modules: z
      .enum(["open", "proprietary"])
      .optional()
      .describe("managed: kernel modules that suit all GPUs of the machine."),
    repository: z
      .url({ protocol: /^(https?|file)$/, error: "is an http://, https:// or file:// address" })
      .optional()
      .describe("managed: NVIDIA's repository, as the machine's package sources name it."),
    allowReboot: z
      .boolean()
      .default(false)
      .describe(
        "Restart the machine where another driver is loaded than is installed. Without it `up` stops there and says so.",
      ),
  })
  .refine(
    ({ driver, branch, modules, repository }) => {
      const given = [branch, modules, repository].filter((value) => value !== undefined).length;
      return given === (driver === "managed" ? 3 : 0);
    },
    { error: "branch, modules and repository belong to `managed`, all three of them" },
  );

export type Want = z.output<typeof inputs>;

/** Wants of a driver that we install. */
export type Managed = { readonly [K in keyof Want]-?: NonNullable<Want[K]> };

export const isManaged = (want: Want): want is Managed => want.driver === "managed";
