import type { Host, System } from "#transport/host.ts";
import type { Ground } from "./ground.ts";
import { linux } from "./linux.ts";

const grounds: Readonly<Partial<Record<System, Ground>>> = { linux };

/**
 * What the engine runs on this host: its only look at which system a host has. Throws for a system that it
 * does not know.
 */
export function groundOf({ name, system }: Pick<Host, "name" | "system">): Ground {
  const ground = grounds[system];
  if (ground === undefined) throw new Error(`${name}: gpu-hosts cannot change a ${system} machine yet`);
  return ground;
}
