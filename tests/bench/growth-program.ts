import "#stacks/load-sdk.ts";
import * as pulumi from "@pulumi/pulumi";
import { AptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { Files } from "#provider/resources/files/files.ts";
import { SystemdService } from "#provider/resources/systemd-service/systemd-service.ts";
import { idleUnit } from "./desired.ts";

// 25 resources on every host of the inventory: 22 of files, one of packages, two services.

const config = new pulumi.Config("bench");
/** Raised to have one file of every host changed. */
const generation = config.get("generation") ?? "0";
const setting = "key = a value of ordinary length\n".repeat(10);

for (const host of Object.keys(new pulumi.Config("gpuhost").requireObject<object>("hosts"))) {
  for (let n = 1; n <= 22; n += 1) {
    const content = n === 1 ? `generation ${generation}\n${setting}` : setting;
    const files = { [`/etc/bench/${n}.conf`]: { content }, [`/etc/bench/${n}.list`]: { content: setting } };
    new Files(`${host}-files-${n}`, { host, files });
  }
  new AptPackages(`${host}-packages`, { host, packages: { curl: "any", procps: "any" } });
  for (const n of [1, 2]) {
    // The simulated hosts have one systemd, so that the name must tell whose the unit is.
    const name = `${host}-${n}.service`;
    new SystemdService(`${host}-service-${n}`, { host, name, unit: idleUnit(name) });
  }
}
