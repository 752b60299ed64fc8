import "#stacks/load-sdk.ts";
import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import type { AnyDefinition } from "#provider/contract/resource.ts";
import { declare } from "#provider/declare.ts";
import { aptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { files } from "#provider/resources/files/files.ts";
import { systemdService } from "#provider/resources/systemd-service/systemd-service.ts";
import { resources } from "./desired.ts";

// The Pulumi program of the benchmark: the 50 items on every host of the inventory.

const definitions = { AptPackages: aptPackages, Files: files, SystemdService: systemdService };

for (const host of Object.keys(new pulumi.Config("gpuhost").requireObject<object>("hosts")))
  for (const { type, name, inputs } of resources)
    declare<z.ZodObject>(definitions[type] as AnyDefinition, `${host}-${name}`, { host, ...inputs });
