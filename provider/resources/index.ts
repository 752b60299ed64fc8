import type { AnyDefinition } from "#provider/contract/resource.ts";
import { aptPackages } from "./apt-packages/apt-packages.ts";
import { aptSource } from "./apt-source/apt-source.ts";
import { check } from "./check/check.ts";
import { download } from "./download/download.ts";
import { files } from "./files/files.ts";
import { firewall } from "./firewall/firewall.ts";
import { modelFiles } from "./model-files/model-files.ts";
import { nvidiaDriver } from "./nvidia-driver/nvidia-driver.ts";
import { pythonVenv } from "./python-venv/python-venv.ts";
import { sourceBuild } from "./source-build/source-build.ts";
import { systemdService } from "./systemd-service/systemd-service.ts";

/** Every resource of the provider, by type; adding one is one line here. */
export const definitions: ReadonlyMap<string, AnyDefinition> = new Map(
  [
    aptPackages,
    aptSource,
    check,
    download,
    files,
    firewall,
    modelFiles,
    nvidiaDriver,
    pythonVenv,
    sourceBuild,
    systemdService,
  ].map((definition: AnyDefinition) => [definition.type, definition]),
);
