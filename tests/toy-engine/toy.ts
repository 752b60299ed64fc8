import * as pulumi from "@pulumi/pulumi";
import { declareAnsweringUnit } from "#components/serving/answering-unit.ts";
import { apiUrl, listenAddress, modelName } from "#components/serving/api.ts";
import { apiKeyFile } from "#components/serving/api-key.ts";
import { type ArgsOf, hostNamed, type ServedModel } from "#components/serving/engine-component.ts";
import { hashOf } from "#components/serving/hash.ts";
import { declareModel, servedFile } from "#components/serving/model.ts";
import { renderServingUnit, unitWords } from "#components/serving/unit.ts";
import { declare, outputDeclared } from "#provider/declare.ts";
import { files } from "#provider/resources/files/files.ts";
import type { toy } from "./config.ts";

/** The toy engine's component, made of nothing but what components/serving/ has for every engine. */
export class Toy extends pulumi.ComponentResource implements ServedModel {
  readonly url: string;
  readonly model: string;
  readonly generation: string;
  readonly units: Readonly<Record<string, readonly string[]>>;

  constructor(name: string, args: ArgsOf<typeof toy>, opts?: pulumi.ComponentResourceOptions) {
    super("gpu-hosts:index:Toy", name, {}, opts);
    const { service, mirrors } = args;
    const host = hostNamed(args.hosts, service.host);
    const prefix = `${name}-${host.name}`;
    const at = { host: host.name };
    const before = { parent: this, dependsOn: [...host.base] };
    const keyFile = `/etc/gpu-hosts/${name}/api-key`;
    const model = declareModel(
      { prefix, at, opts: before },
      { service: name, model: service.model, hub: mirrors.hub },
    );
    const key = apiKeyFile(keyFile, service.apiKey);
    const written = declare(files, `${prefix}-files`, { ...at, files: key }, before);
    const unit = `toy-${name}.service`;
    this.generation = hashOf({ version: service.version, mirror: mirrors.toys });
    const words = [
      "toy",
      listenAddress(service, host.address),
      service.port,
      servedFile(name, service.model),
    ];
    const text = renderServingUnit({
      description: `toy of ${name}`,
      environment: [`TOY_MODE=${service.mode}`],
      lines: `ExecStart=${unitWords(words)}\nLoadCredential=api-key:${keyFile}`,
      restartSeconds: 5,
    });
    declareAnsweringUnit(
      { prefix, at, opts: { parent: this, dependsOn: [model, written] } },
      { service: name, settings: service, unit, text, apiKeyFile: keyFile, generation: this.generation },
    );
    this.url = apiUrl(service, host.address);
    this.model = modelName(name, service);
    this.units = { [host.name]: [unit] };
    this.registerOutputs({ url: this.url, ...outputDeclared(this) });
  }
}
