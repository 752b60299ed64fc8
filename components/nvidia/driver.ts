import * as pulumi from "@pulumi/pulumi";
import { declare, outputDeclared } from "#provider/declare.ts";
import { aptSource } from "#provider/resources/apt-source/apt-source.ts";
import { nvidiaDriver } from "#provider/resources/nvidia-driver/nvidia-driver.ts";
import { type DriverMachine, managedDriver, wishOf } from "./driver-wants.ts";
import { repositoryUrl } from "./repository.ts";

export interface NvidiaDriverArgs {
  /** What the inventory says of the machine. */
  readonly machine: DriverMachine;
  /** Address of NVIDIA's repositories, or of a mirror of them. */
  readonly mirror: string;
  /** Key that signs them; needed for a managed driver. */
  readonly key?: string | undefined;
  /** What is in place before: the base of the machine. */
  readonly after: readonly pulumi.Resource[];
}

/** The NVIDIA driver of one machine, watched or installed. A machine without a GPU gets nothing. */
export class NvidiaDriver extends pulumi.ComponentResource {
  /** What a service that uses the GPU waits for. */
  readonly parts: readonly pulumi.Resource[];

  constructor(
    host: string,
    { machine, mirror, key, after }: NvidiaDriverArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("gpu-hosts:index:NvidiaDriver", host, {}, opts);
    const wish = wishOf(machine);
    if (wish?.driver === "managed") {
      const found = managedDriver(wish, machine);
      // Both were checked with the configuration.
      if ("problem" in found || key === undefined) throw new Error(`no driver can be installed on ${host}`);
      const { path, ...driver } = found;
      const repository = repositoryUrl(mirror, path);
      const source = declare(
        aptSource,
        `${host}-nvidia-source`,
        { host, name: "nvidia", uris: [repository], suites: ["/"], key, pin: { priority: 600 } },
        { parent: this, dependsOn: [...after] },
      );
      const installed = declare(
        nvidiaDriver,
        `${host}-driver`,
        { host, driver: "managed", ...driver, repository },
        { parent: this, dependsOn: [source] },
      );
      this.parts = [source, installed];
    } else if (wish?.driver === "present") {
      const { minimum, allowReboot } = wish;
      this.parts = [
        declare(
          nvidiaDriver,
          `${host}-driver`,
          { host, driver: "present", minimum, allowReboot },
          { parent: this, dependsOn: [...after] },
        ),
      ];
    } else this.parts = [];
    this.registerOutputs(outputDeclared(this));
  }
}
