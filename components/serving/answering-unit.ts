import * as pulumi from "@pulumi/pulumi";
import { declare } from "#provider/declare.ts";
import { check } from "#provider/resources/check/check.ts";
import { systemdService } from "#provider/resources/systemd-service/systemd-service.ts";
import { modelName } from "./api.ts";
import { apiKeyHash } from "./api-key.ts";
import { hashOf } from "./hash.ts";
import type { ResourcePlace } from "./resource-place.ts";
import type { ServiceBasics } from "./service-schema.ts";

/** The unit of a service that answers clients. */
export interface AnsweringUnit {
  /** Name of the service. */
  readonly service: string;
  readonly settings: ServiceBasics;
  /** Name of the unit. */
  readonly unit: string;
  /** Its text. */
  readonly text: string;
  /** File on the machine with the key, if the service has one. */
  readonly apiKeyFile: string;
  /**
   * What the machines of the service agree on. Together with unit and key it is what a check has passed for.
   */
  readonly generation: string;
}

/** Declares the unit, which is ready once it completes a prompt, and the check that records it. */
export function declareAnsweringUnit(
  { prefix, at, opts }: ResourcePlace,
  { service, settings, unit, text, apiKeyFile, generation }: AnsweringUnit,
): void {
  const keyHash = apiKeyHash(settings.apiKey);
  const probe = {
    kind: "completion" as const,
    url: `http://127.0.0.1:${settings.port}`,
    model: modelName(service, settings),
    ...(settings.apiKey ? { apiKeyFile } : {}),
  };
  const deadlineSeconds = settings.deadlineMinutes * 60;
  const server = declare(
    systemdService,
    `${prefix}-server`,
    {
      ...at,
      name: unit,
      unit: text,
      // The key reaches the process as a copy that systemd makes at its start.
      ...(keyHash ? { restartOn: { "api key": keyHash } } : {}),
      readiness: { ...probe, deadlineSeconds },
    },
    opts,
  );
  const checked = hashOf({ group: generation, unit: text });
  declare(
    check,
    `${prefix}-check`,
    {
      ...at,
      name: service,
      probe,
      generation: keyHash ? pulumi.interpolate`${checked}-${keyHash}` : checked,
      deadlineSeconds,
      unit,
    },
    { ...opts, dependsOn: [server] },
  );
}
