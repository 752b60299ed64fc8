import * as pulumi from "@pulumi/pulumi";
import { declareAnsweringUnit } from "#components/serving/answering-unit.ts";
import { apiUrl, modelName } from "#components/serving/api.ts";
import { apiKeyFile } from "#components/serving/api-key.ts";
import { type ArgsOf, hostNamed, type ServedModel } from "#components/serving/engine-component.ts";
import { hashOf } from "#components/serving/hash.ts";
import { declareModel, servedFolder } from "#components/serving/model.ts";
import { declare, outputDeclared } from "#provider/declare.ts";
import { files } from "#provider/resources/files/files.ts";
import { renderEnvironment } from "#provider/resources/systemd-service/environment-file.ts";
import type { vllm } from "./config.ts";
import { declareInstallation } from "./install.ts";
import { namesOf, renderServer } from "./render.ts";
import { variantOf } from "./variant.ts";

const folder = { directory: true, mode: "0755" } as const;

/**
 * Serves one model with vLLM on one machine, on its GPUs or its processor.
 *
 * Owns there `/etc/gpu-hosts/<name>`, `/var/lib/gpu-hosts/venvs/vllm-<name>` and the unit `vllm-<name>`. Model
 * and packages are in place before the unit moves to them; while that fails, the old ones answer.
 */
export class Vllm extends pulumi.ComponentResource implements ServedModel {
  readonly url: string;
  readonly model: string;
  readonly generation: string;
  readonly units: Readonly<Record<string, readonly string[]>>;

  constructor(name: string, args: ArgsOf<typeof vllm>, opts?: pulumi.ComponentResourceOptions) {
    super("gpu-hosts:index:Vllm", name, {}, opts);
    const { service, mirrors } = args;
    const host = hostNamed(args.hosts, service.host);
    const choice = variantOf(service, host.record);
    if ("unclear" in choice) throw new Error(`no build of vLLM for ${host.name}: ${choice.unclear}`);
    const names = namesOf(name);
    const prefix = `${name}-${host.name}`;
    const place = { prefix, at: { host: host.name }, opts: { parent: this, dependsOn: [...host.base] } };

    const model = declareModel(place, { service: name, model: service.model, hub: mirrors.hub });
    const { variant } = choice;
    const { architecture } = host.record;
    const { venv, resources } = declareInstallation(place, { name, service, variant, architecture, mirrors });
    const written = declare(
      files,
      `${prefix}-files`,
      {
        ...place.at,
        files: {
          "/etc/gpu-hosts": folder,
          "/var/lib/gpu-hosts": folder,
          [names.folder]: folder,
          ...apiKeyFile(names.apiKey, service.apiKey),
          ...environmentFile(names.environment, service.apiKey),
        },
      },
      place.opts,
    );
    const served = servedFolder(name, service.model);
    const text = renderServer(service, { name, variant, venv, model: served, address: host.address });
    this.generation = hashOf({ venv, model: served });
    declareAnsweringUnit(
      { ...place, opts: { parent: this, dependsOn: [model, ...resources, written] } },
      {
        service: name,
        settings: service,
        unit: names.unit,
        text,
        apiKeyFile: names.apiKey,
        generation: this.generation,
      },
    );
    this.url = apiUrl(service, host.address);
    this.model = modelName(name, service);
    this.units = { [host.name]: [names.unit] };
    this.registerOutputs({ url: this.url, model: this.model, ...outputDeclared(this) });
  }
}

/** The key as systemd hands it to vLLM; none without a key. */
const environmentFile = (path: string, apiKey: string | undefined) =>
  apiKey
    ? { [path]: { content: pulumi.secret(renderEnvironment({ VLLM_API_KEY: apiKey })), mode: "0600" } }
    : {};
