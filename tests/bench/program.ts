import "#stacks/load-sdk.ts";
import * as pulumi from "@pulumi/pulumi";
import { AptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { Files } from "#provider/resources/files/files.ts";
import { SystemdService } from "#provider/resources/systemd-service/systemd-service.ts";
import { resources } from "./desired.ts";

// The Pulumi program of the benchmark: the 50 items on every host of the inventory.

const classes = { AptPackages, Files, SystemdService };

for (const host of Object.keys(new pulumi.Config("gpuhost").requireObject<object>("hosts")))
  for (const { type, name, inputs } of resources)
    new classes[type](`${host}-${name}`, { host, ...inputs } as never);
