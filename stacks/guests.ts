import type { Opening } from "#components/claims.ts";

/**
 * What another stack must hold for ours, a line for each machine with `base: false`: its firewall has one
 * owner, and a port that nobody guards there is open to whoever reaches the machine, or shut where it refuses
 * what it does not know.
 */
export function unguardedPortWarnings(
  hosts: Readonly<Record<string, { readonly base: boolean; readonly retire?: true | "gone" | undefined }>>,
  openings: Readonly<Record<string, readonly Opening[]>>,
): string[] {
  const line = ({ protocol, port, from, why }: Opening) =>
    `    - { port: ${port}, ${protocol === "udp" ? "protocol: udp, " : ""}from: ${from === "any" ? from : `[${from.join(", ")}]`}, why: ${JSON.stringify(why)} }`;
  return Object.entries(openings).flatMap(([name, all]) => {
    const host = hosts[name];
    if (!host || host.base || host.retire || all.length === 0) return [];
    return [
      `${name} has \`base: false\`, so this stack leaves its firewall alone. The stack that has its base must hold, below ` +
        `gpu-hosts:base:\n  openings:\n   ${name}:\n${all.map(line).join("\n")}\n` +
        "Until then nobody guards these ports.",
    ];
  });
}
