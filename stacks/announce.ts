import * as pulumi from "@pulumi/pulumi";

/** What a stack's outputs keep of a service, so that the next run sees what changes. */
export interface Announced {
  /** What its machines must agree on. */
  readonly generation: string;
  /** Units by machine. */
  readonly units: Readonly<Record<string, readonly string[]>>;
}
type Services = Readonly<Record<string, Announced>>;

/**
 * A line for each service on several machines that changes its generation, and so answers nothing for a
 * while.
 */
export function outages(before: Services, after: Services): string[] {
  return Object.entries(after).flatMap(([name, { generation, units }]) => {
    const old = before[name]?.generation;
    const machines = Object.keys(units);
    if (old === undefined || old === generation || machines.length < 2) return [];
    const all = machines.join(", ");
    return [
      `${name} changes from generation ${old} to ${generation}: it answers nothing until ${all} all run the new one`,
    ];
  });
}

/** The outputs of this stack's last run; none in the first. */
async function lastOutputs(): Promise<{ readonly services?: Services }> {
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  // What StackReference calls as well, without a resource in the state.
  const { outputs = {} } = await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name });
  return outputs;
}

/**
 * Says in Pulumi's output which services this run takes away for a while. Not to know that is no reason to
 * fail.
 */
export async function announceOutages(after: Services): Promise<void> {
  const before = await lastOutputs().catch(() => ({ services: undefined }));
  for (const line of outages(before.services ?? {}, after)) await pulumi.log.info(line);
}
