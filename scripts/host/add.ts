import { lookup } from "node:dns/promises";
import { basename } from "node:path";
import { firstSight, type Met, meet } from "#checks/first-contact.ts";
import type { Survey } from "#checks/survey.ts";
import { type HostEntry, hostEntry, type Inventory } from "#inventory/inventory.ts";
import { hostName } from "#inventory/kinds.ts";
import { projectOf, pulumi } from "#scripts/pulumi/pulumi.ts";
import { inventoryOf, readConfiguration } from "#scripts/stack/stack.ts";
import { hostsIn, readStackFile, stackFileOf, withHost, writeStackFile } from "#scripts/stack/stack-file.ts";
import { type Arguments, UsageError } from "#scripts/terminal/arguments.ts";
import { askHidden, hasTerminal } from "#scripts/terminal/ask.ts";
import type { commands } from "#scripts/terminal/commands.ts";
import { voice } from "#scripts/terminal/output.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { confirmKey } from "./confirm-key.ts";
import { sameAddress } from "./login-address.ts";
import { nameFrom, newEntry } from "./new-entry.ts";
import { bySshConfig, completeLogin, jumpOf, machinesBefore } from "./new-way.ts";
import { surveyText } from "./survey-text.ts";

/** `host add`: from an address to an entry of the inventory, with a host key that somebody has compared. */
export async function addHost({
  words: [word = "", stack = ""],
  values,
}: Arguments<(typeof commands)["host add"]>): Promise<number> {
  const login = await completeLogin(word);
  const target = word.includes("@") ? word : `${login.user}@${word}`;
  const jump = jumpOf(values.jump);
  const file = stackFileOf(projectOf(stack), stack);
  const text = readStackFile(file) ?? (await newStackFile(stack, file));
  refuseTaken(text, { ...login, jump }, stack, values.name);
  const who = values.name ?? target;
  const others = await machinesBefore(who, jump, stack);

  const say = voice();
  try {
    const identityFile = values["identity-file"];
    const asked = hostEntry.parse({ platform: "linux", ...login, jump, identityFile });
    say.now(`looking at ${target}, without logging in`);
    const inventory = { ...others, hosts: { ...others.hosts, [who]: asked } };
    const sight = await firstSight(who, inventory, values["host-key"]);
    say.stop();
    const { through } = sight;
    const place = through === undefined ? target : `${target} (through ${through})`;
    if (sight.windows) throw windowsPc(place);
    await confirmKey(place, sight, values);
    // The port stands in the entry also where the ssh config said it: the rules across hosts go by the entry.
    const port = asked.port ?? (sight.port === 22 ? undefined : sight.port);
    const hostKey = sight.key.fingerprint;
    const entry = { ...asked, port, hostKey };
    say.now(`logging in to ${place}`);
    const which = { target, stack, name: values.name, who };
    const { access, survey } = await read(entry, others, which, () => say.stop());
    say.stop();
    refuseOtherSystems(target, survey);

    const name = values.name ?? nameFrom(survey.hostname);
    if (name === undefined)
      throw new UsageError(
        `${target} calls itself ${survey.hostname}, which is no name for it: add -- --name NAME`,
      );
    refuseTaken(text, entry, stack, name);
    const twin = Object.entries(hostsIn(text)).find(([, host]) => host.hostKey === hostKey)?.[0];
    if (twin !== undefined)
      console.error(
        `${twin} has the same host key: is it the same machine, or a copy that needs keys of its own?`,
      );
    const { renamed, sshConfig } = bySshConfig(asked, sight);
    // An alias of the ssh config is no address for other machines, so what it stands for may be proposed.
    const same = renamed ? [] : await addressesOf(login.address);
    const key = { hostKey, keyType: sight.key.type, identityFile };
    const reached = { ...entry, at: sight.address };
    const added = newEntry({ reached, sshConfig, ...key, survey, same });
    writeStackFile(file, withHost(text, name, added));
    console.log(
      `${name} (${target}${through === undefined ? "" : `, through ${through}`})\n${surveyText(survey)}\nroot by ${access}\n`.replaceAll(
        /\n(?=.)/g,
        "\n  ",
      ),
    );
    console.log(
      `${name} is in ${basename(file)} now. Next: name it in a service there, then npm run plan ${stack}`,
    );
    if (access === "sudo with a password")
      console.log(`Its sudo password is not stored yet:\n${storeLine(stack, name)}`);
    return 0;
  } finally {
    say.stop();
  }
}

/** The text to begin with where there is no stack file: Pulumi Cloud makes none for a new stack. */
async function newStackFile(stack: string, file: string): Promise<string> {
  await ensurePulumi();
  const project = projectOf(stack);
  const listed = await pulumi(project, ["stack", "ls", "--json"]).catch(() => "[]");
  if ((JSON.parse(listed) as { name: string }[]).some(({ name }) => name === stack)) return "";
  throw new UsageError(
    `there is no ${file} and no stack ${stack}; make it with: npx pulumi stack init ${stack}`,
  );
}

/** An address or a name that the inventory has already. */
function refuseTaken(
  text: string,
  login: Pick<HostEntry, "address" | "port" | "jump">,
  stack: string,
  name: string | undefined,
): void {
  const hosts = hostsIn(text);
  // Behind other jump hosts the same private address may be another machine.
  const way = (jump: unknown) => [jump ?? []].flat().join(" ");
  for (const [taken, { address, port = 22, jump }] of Object.entries(hosts)) {
    if (!sameAddress(login, { address: String(address), port: Number(port) })) continue;
    if (way(jump) !== way(login.jump)) continue;
    throw new Error(
      `${login.address} is in the inventory of ${stack} already, as ${taken}; to read again what it has: npm run host refresh ${stack} ${taken}`,
    );
  }
  if (name === undefined) return;
  const valid = hostName.safeParse(name);
  if (!valid.success) throw new UsageError(`--name ${name}: ${valid.error.issues[0]?.message}`);
  const other = hosts[name];
  if (other !== undefined)
    throw new UsageError(
      `${name} is the name of ${other.user}@${other.address} already; choose another: -- --name NAME`,
    );
}

const windowsPc = (target: string) =>
  new Error(
    `${target} is a Windows PC. gpu-hosts will use such PCs through WSL from a later release on; today it works with Debian and Ubuntu. Nothing was written.`,
  );

function refuseOtherSystems(target: string, { system }: Survey): void {
  if ([system.id, ...system.like].some((id) => id === "debian" || id === "ubuntu")) return;
  throw new Error(
    `${target} runs ${system.name}; gpu-hosts works with Debian and Ubuntu. Nothing was written.`,
  );
}

interface Which {
  readonly target: string;
  readonly stack: string;
  readonly name: string | undefined;
  /** What it is called in messages. */
  readonly who: string;
}

/** Logs in and reads, with the sudo password from the stack or from the operator where one is asked for. */
async function read(
  entry: HostEntry,
  others: Inventory,
  which: Which,
  beforeAsking: () => void,
): Promise<Extract<Met, { state: "read" }>> {
  const { target, stack, name, who } = which;
  const first = await meet(who, entry, others);
  const met =
    first.state === "password needed"
      ? await meet(who, entry, others, { sudoPassword: await sudoPassword(which, beforeAsking) })
      : first;
  if (met.state === "read") return met;
  if (met.state === "windows") throw windowsPc(target);
  throw new Error(`sudo on ${target} asks for a password\n${storeLine(stack, name ?? "NAME")}`);
}

async function sudoPassword({ target, stack, name }: Which, beforeAsking: () => void): Promise<string> {
  const stored = name === undefined ? undefined : await storedPassword(stack, name);
  if (stored !== undefined) return stored;
  if (!hasTerminal())
    throw new Error(
      `sudo asks ${target} for a password, and here nobody can be asked. Store it, then try again with --name ${name ?? "NAME"}:\n${storeLine(stack, name ?? "NAME")}`,
    );
  beforeAsking();
  return await askHidden(`sudo password of ${target} (not shown): `);
}

async function storedPassword(stack: string, name: string): Promise<string | undefined> {
  await ensurePulumi();
  const { credentials } = inventoryOf({ ...(await readConfiguration(stack)), hosts: {} });
  return credentials[name]?.sudoPassword;
}

/** Pulumi asks for the value, and does not show it. */
const storeLine = (stack: string, name: string) =>
  `  npx pulumi config set --stack ${stack} --secret --path gpuhost:credentials.${name}.sudoPassword`;

/** What a name stands for; an address stands for itself. */
async function addressesOf(address: string): Promise<string[]> {
  const found = await lookup(address, { all: true }).catch(() => []);
  return found.map((one) => one.address);
}
