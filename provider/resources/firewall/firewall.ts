import { contents } from "#facts/files.ts";
import { nftTable } from "#facts/nftables.ts";
import { sshPorts } from "#facts/ss.ts";
import { showUnit, type Unit } from "#facts/systemd.ts";
import { ufw as ufwFact } from "#facts/ufw.ts";
import { defineResource, findingAt, findingsOf, type Observation } from "#provider/contract/resource.ts";
import { remove, run, type Step, write } from "#provider/contract/step.ts";
import { sh } from "#transport/command.ts";
import { bootFile, bootUnit, bootUnitPath, bootUnitText, keepAtBoot } from "./boot.ts";
import { inputs, overlap, samePorts, sameRule, type Want } from "./inputs.ts";
import { noTable, readTable, renderTable, tableRevert } from "./nft.ts";
import { revertible, revertTimer, workFolder } from "./revert.ts";
import { additions, deletions, readUfw } from "./ufw.ts";

/** Shown beside the configuration, and what `apply` needs to know of the machine. */
type FirewallStatus = {
  /** What filters on this machine: `nftables`, `ufw`, `firewalld`. */
  readonly backend: string;
  /** Ports of its SSH server. */
  readonly sshPorts: readonly number[];
  /** Our rules in ufw, by port. */
  readonly ufwRules: Readonly<Record<string, readonly string[]>>;
  /** Rules of others in ufw that keep ours from being added. */
  readonly ufwClashes: readonly string[];
};

type Seen = Observation<Want, FirewallStatus>;

function wrongAtBoot(
  unit: Unit,
  files: ReadonlyMap<string, Buffer>,
  ports: readonly Want["ports"][],
): string | undefined {
  const text = (path: string) => files.get(path)?.toString("utf8");
  if (!ports.some((some) => text(bootFile) === renderTable(some)))
    return "the rules loaded at boot are others than wanted";
  if (text(bootUnitPath) !== bootUnitText) return `${bootUnit} was changed`;
  if (unit.file !== "enabled") return `${bootUnit} is not enabled`;
  return unit.active === "active" ? undefined : `${bootUnit} is ${unit.active}`;
}

/** While the rules in effect are to change anyway, those of the last run are right at boot, too. */
const rightAtBoot = (loaded: Want["ports"] | undefined, want: Want, last: Want | undefined) =>
  last === undefined || samePorts(loaded, want.ports) ? [want.ports] : [want.ports, last.ports];

const backendOf = (firewalld: Unit, ufwActive: boolean) =>
  firewalld.active === "active" ? "firewalld" : ufwActive ? "ufw" : "nftables";

function refuse({ ports }: Want, { backend, sshPorts, ufwClashes }: FirewallStatus): void {
  const ssh = sshPorts.length > 0 ? sshPorts : [22];
  if (backend === "firewalld") {
    throw new Error(
      "firewalld is active on this machine, and gpu-hosts cannot yet keep its rules there.\n" +
        "  Stop it (systemctl disable --now firewalld) or use ufw in its place, then run `up` again.",
    );
  }
  if (backend === "ufw" && ufwClashes.length > 0) {
    throw new Error(
      "ufw has rules that say the opposite of what is wanted, and takes no rule beside them. Remove them by hand:\n" +
        ufwClashes.map((rule) => `  ufw delete ${rule}`).join("\n"),
    );
  }
  const mine = Object.keys(ports).find((key) => ssh.some((port) => overlap(key, `tcp/${port}`)));
  if (!mine) return;
  throw new Error(
    `ports["${mine}"] holds a port of this machine's SSH server (${ssh.join(", ")}). gpu-hosts leaves SSH alone, so that ` +
      "it cannot lock you out;\n  take the port out of the range, or let the service listen on another one.",
  );
}

function* changeTable({ ports }: Want): Generator<Step> {
  const next = `${workFolder}/next.nft`;
  yield run(sh`install -d -m 0700 ${workFolder}`);
  yield write(next, renderTable(ports), { mode: "0600", owner: "root:root" });
  yield run(sh`nft --check --file ${next}`);
  yield* revertible(...tableRevert, [run(sh`nft --file ${next}`)]);
}

const withdrawTable = sh`! command -v nft >/dev/null || printf '%s' ${noTable} | nft --file -`;

function* changeUfw(want: Want, have: Seen | undefined, status: FirewallStatus): Generator<Step> {
  const keys = new Set([...Object.keys(want.ports), ...Object.keys(status.ufwRules)]);
  const changes: Step[] = [];
  for (const key of keys) {
    const rule = want.ports[key];
    const right = sameRule(rule, have?.config.ports?.[key]) && !findingAt(have, "order");
    if (right) continue;
    const commands = [...deletions(status.ufwRules[key] ?? []), ...(rule ? additions(key, rule) : [])];
    changes.push(...commands.map((command) => run(command)));
  }
  if (changes.length === 0 && !findingAt(have, "unproven")) return;
  yield run(sh`install -d -m 0700 ${workFolder}`);
  yield* revertible(
    sh`cp /etc/ufw/user.rules /etc/ufw/user6.rules ${workFolder}`,
    sh`cp ${`${workFolder}/user.rules`} ${`${workFolder}/user6.rules`} /etc/ufw/ && ufw reload`,
    changes,
  );
}

function* withdrawBoot(): Generator<Step> {
  yield run(sh`systemctl disable --now ${bootUnit} 2>/dev/null; exit 0`);
  yield remove(bootUnitPath);
  yield remove(bootFile);
  yield run(sh`rmdir --ignore-fail-on-non-empty /etc/gpu-hosts 2>/dev/null; systemctl daemon-reload`);
}

/**
 * Who may connect to the ports of our services: all such rules of a machine. Ports it does not name are left
 * alone, and so are rules that are not ours: what another firewall refuses stays refused.
 *
 * Kept in a table of our own (`inet gpu_hosts`), loaded again at boot; where ufw is active, as rules with the
 * comment `gpu-hosts`. Each change proves by a new SSH connection that it locks nobody out, else the machine
 * takes it back.
 */
export const firewall = defineResource({
  type: "Firewall",
  version: 1,
  inputs,
  identity: [],
  id: () => "firewall",

  items: () => [{ name: "firewall", path: ["ports"] }],

  async observe(host, want, last): Promise<Seen> {
    const [unit, table, ufw, ssh, firewalld, timer, files] = await Promise.all([
      // First: while it is at work the table may be gone for a moment.
      host.ask(showUnit(bootUnit)),
      host.ask(nftTable("inet", "gpu_hosts")),
      host.ask(ufwFact),
      host.ask(sshPorts),
      host.ask(showUnit("firewalld.service")),
      host.ask(showUnit(revertTimer)),
      host.ask(contents([bootFile, bootUnitPath])),
    ]);
    const backend = backendOf(firewalld, ufw.active);
    const inUfw = readUfw(ufw.rules, want.ports);
    const status = { backend, sshPorts: ssh, ufwRules: inUfw.tagged, ufwClashes: inUfw.clashes };
    const unproven =
      timer.active === "active"
        ? "no new connection has come through yet; it is about to be taken back"
        : undefined;
    if (backend === "ufw") {
      const order =
        inUfw.ineffective.length > 0
          ? `other rules decide first: ${inUfw.ineffective.join(", ")}`
          : undefined;
      const leftover = table ? "a table of ours from before ufw was switched on" : undefined;
      // With nothing to guard, having no rule is all that is wanted.
      const some = Object.keys(inUfw.ports).length > 0 || Object.keys(want.ports).length === 0;
      const config = some ? { ports: inUfw.ports } : {};
      return { config, findings: findingsOf({ order, leftover, unproven }), status };
    }
    const leftover =
      Object.keys(inUfw.tagged).length > 0 ? "rules of ours in ufw, which is switched off" : undefined;
    const loaded = table && readTable(table, want.ports);
    const boot = table ? wrongAtBoot(unit, files, rightAtBoot(loaded?.ports, want, last)) : undefined;
    return {
      config: loaded ? { ports: loaded.ports } : {},
      findings: findingsOf({ rules: loaded?.problem, boot, leftover, unproven }),
      status,
      settling:
        unit.queued || ["activating", "reloading"].includes(unit.active)
          ? `${bootUnit} is ${unit.active}`
          : undefined,
    };
  },

  *apply(want, have) {
    const status = have?.status ?? { backend: "nftables", sshPorts: [], ufwRules: {}, ufwClashes: [] };
    refuse(want, status);
    if (status.backend === "ufw") {
      yield* changeUfw(want, have, status);
      if (findingAt(have, "leftover")) {
        yield* withdrawBoot();
        yield run(withdrawTable, { title: "take our nftables table away" });
      }
      return;
    }
    const wrong = findingAt(have, "rules") ?? findingAt(have, "unproven");
    const loaded = samePorts(have?.config.ports, want.ports) && !wrong;
    if (!loaded) yield* changeTable(want);
    yield* keepAtBoot(renderTable(want.ports));
    if (findingAt(have, "leftover"))
      yield* Object.values(status.ufwRules).flatMap((phrases) => deletions(phrases).map((it) => run(it)));
  },

  *remove(have) {
    const ufwRules = have.status?.ufwRules ?? {};
    yield run(sh`systemctl stop ${revertTimer} 2>/dev/null; rm -rf -- ${workFolder}`);
    yield* withdrawBoot();
    yield run(withdrawTable, { title: "take our nftables table away" });
    yield* Object.values(ufwRules).flatMap((phrases) => deletions(phrases).map((it) => run(it)));
  },
});
