import "#stacks/load-sdk.ts";
import * as pulumi from "@pulumi/pulumi";
import { declare } from "#provider/declare.ts";
import { aptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { files } from "#provider/resources/files/files.ts";
import { systemdService } from "#provider/resources/systemd-service/systemd-service.ts";
import { idleUnit } from "./desired.ts";

// 25 resources on every host of the inventory: 22 of files, one of packages, two services.

const config = new pulumi.Config("bench");
/** Raised to have one file of every host changed. */
const generation = config.get("generation") ?? "0";
const setting = "key = a value of ordinary length\n".repeat(10);

for (const host of Object.keys(new pulumi.Config("gpuhost").requireObject<object>("hosts"))) {
  for (let n = 1; n <= 22; n += 1) {
    const content = n === 1 ? `generation ${generation}\n${setting}` : setting;
    const pair = { [`/etc/bench/${n}.conf`]: { content }, [`/etc/bench/${n}.list`]: { content: setting } };
    declare(files, `${host}-files-${n}`, { host, files: pair });
  }
  declare(aptPackages, `${host}-packages`, { host, packages: { curl: "any", procps: "any" } });
  for (const n of [1, 2]) {
    // The simulated hosts have one systemd, so that the name must tell whose the unit is.
    const name = `${host}-${n}.service`;
    declare(systemdService, `${host}-service-${n}`, { host, name, unit: idleUnit(name) });
  }
}
