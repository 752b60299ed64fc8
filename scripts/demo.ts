import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "zx";
import { stackOutputs } from "#checks/deployed.ts";
import { servicesIn } from "#checks/outside.ts";
import { attach, type Lab, startLab } from "#lab/lab.ts";
import { installRequirements, requirements } from "#lab/requirements.ts";
import { tinyGguf } from "#lab/tiny-gguf.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { demoConfiguration, demoProject, demoStack } from "./demo/demo-stack.ts";
import { demoFolder, projectOf, pulumi, pulumiInTerminal } from "./pulumi/pulumi.ts";
import { recover } from "./pulumi/recovery.ts";
import { readStack } from "./stack/stack.ts";
import { main } from "./terminal/main.ts";
import { type Voice, voice } from "./terminal/output.ts";

const labFolder = join(demoFolder, "lab");
/** System packages that a demo has installed, for `demo:down` to name. */
const packageList = join(demoFolder, "system-packages");
const stackFiles = [`Pulumi.${demoStack}.yaml`, "Pulumi.yaml"];
const hubPort = 8090;
const model = { repo: "lab/tiny-GGUF", file: "tiny.gguf" };

class DemoError extends Error {}

await main("demo", async () => {
  const lacks = await requirements();
  if (lacks.reason) {
    throw new DemoError(
      `The demo cannot run here: ${lacks.reason}.\n` +
        'With machines of your own, begin at "Your first own host" in README.md.',
    );
  }
  await installPackages(lacks.packages);
  await ensurePulumi();
  const say = voice();
  const lab = await hosts(say).finally(say.stop);
  await makeStack(lab);
  await recover(projectOf(demoStack), demoStack, (line) => console.error(line));

  heading("pulumi up: from two bare Debian hosts to a served model");
  await must(["up", "--yes", "--skip-preview"], "did not bring up the model; the lines above say why");
  heading("npm run verify demo: real answers, and closed doors");
  await script("verify");
  heading("the model lies on both hosts: layers on alpha's CPU, layers on RPC0, which is beta");
  console.log(await placement(lab));
  heading("pulumi up again: nothing is left to do");
  await must(
    ["up", "--yes", "--skip-preview", "--expect-no-changes"],
    "changed something when run a second time",
  );
  heading("npm run drift demo: the hosts against what was applied");
  await script("drift");
  await farewell(lab);
  return 0;
});

function heading(text: string): void {
  console.log(`\n── ${text}`);
}

async function must(args: readonly string[], otherwise: string): Promise<void> {
  const [command = "", ...rest] = args;
  const code = await pulumiInTerminal(projectOf(demoStack), [command, "--stack", demoStack, ...rest]);
  if (code !== 0) throw new DemoError(`pulumi ${args.join(" ")} ${otherwise} (exit code ${code})`);
}

async function script(name: "drift" | "verify"): Promise<void> {
  const file = join(import.meta.dirname, `${name}.ts`);
  const { exitCode } = await $({ stdio: "inherit", nothrow: true })`${process.execPath} ${file} ${demoStack}`;
  if (exitCode !== 0) throw new DemoError(`npm run ${name} demo found something (exit code ${exitCode})`);
}

async function installPackages(packages: readonly string[]): Promise<void> {
  if (packages.length === 0) return;
  console.log(`The demo installs these system packages first: ${packages.join(" ")}`);
  const say = voice();
  say.now(`apt-get install ${packages.join(" ")}`);
  await installRequirements(packages).finally(say.stop);
  mkdirSync(demoFolder, { recursive: true, mode: 0o700 });
  writeFileSync(packageList, `${packages.join("\n")}\n`, { flag: "a" });
}

/** The demo's two hosts: those that run already, else new ones. */
async function hosts(say: Voice): Promise<Lab> {
  const running = await attach(labFolder);
  if (running && running.hosts.length === 2) {
    say.now("the demo's hosts are there already");
    await Promise.all(running.hosts.map((host) => host.powerOn()));
    return running;
  }
  // New hosts know nothing of an old state.
  for (const old of [...stackFiles, "state"]) rmSync(join(demoFolder, old), { recursive: true, force: true });
  mkdirSync(demoFolder, { recursive: true, mode: 0o700 });
  say.now("starting two throw-away hosts, alpha and beta");
  const lab = await startLab({
    hosts: [
      { name: "alpha", release: "forky" },
      { name: "beta", release: "forky" },
    ],
    dir: labFolder,
    persistent: true,
    progress: say.now,
  });
  await lab.serve("hub", "hub-main.ts", hubPort);
  return lab;
}

/** Passphrase, project, stack file and API key, unless they are there. */
async function makeStack(lab: Lab): Promise<void> {
  if (stackFiles.every((name) => existsSync(join(demoFolder, name)))) return;
  const hub = `http://${lab.gateway}:${hubPort}`;
  const revision = await fetch(`${hub}/api/models/${model.repo}/revision/main`);
  const { sha } = (await revision.json()) as { sha: string };
  const files = { [model.file]: createHash("sha256").update(tinyGguf()).digest("hex") };
  const reached = (name: string) => {
    const { address, user, hostKey, identityFile } = lab.host(name);
    return { name, address, user, hostKey, identityFile };
  };
  const secretFile = { mode: 0o600 };
  writeFileSync(join(demoFolder, "passphrase"), `${randomBytes(24).toString("base64url")}\n`, secretFile);
  mkdirSync(join(demoFolder, "state"), { recursive: true });
  const project = readFileSync(join(demoFolder, "..", "Pulumi.yaml"), "utf8");
  writeFileSync(join(demoFolder, "Pulumi.yaml"), demoProject(project, demoFolder));
  writeFileSync(
    join(demoFolder, `Pulumi.${demoStack}.yaml`),
    demoConfiguration([reached("alpha"), reached("beta")], { hub, repo: model.repo, revision: sha, files }),
  );
  await pulumi(projectOf(demoStack), ["stack", "init", demoStack, "--no-select"]);
  const key = `sk-demo-${randomBytes(18).toString("base64url")}`;
  const path = ["--path", "gpu-hosts:services.chat.apiKey"];
  await pulumi(projectOf(demoStack), ["config", "set", "--secret", ...path, "--stack", demoStack], key);
}

/** What the server said of its layers when it loaded the model. */
async function placement(lab: Lab): Promise<string> {
  const log = await lab.host("alpha").exec("journalctl --unit llama-server-chat.service --boot --output cat");
  const lines = log.split("\n").filter((line) => /offloaded \d+\/\d+ layers|model buffer size/.test(line));
  if (!lines.some((line) => line.includes("RPC0"))) throw new DemoError(`the model is not split:\n${log}`);
  return lines.map((line) => `  ${line.trim()}`).join("\n");
}

async function farewell(lab: Lab): Promise<void> {
  const { outputs } = stackOutputs((await readStack(demoStack)).exported);
  const [service] = servicesIn(outputs);
  // A key in a file stays out of process lists, shell histories and the logs of whoever runs this.
  const header = join(demoFolder, "authorization");
  writeFileSync(header, `Authorization: Bearer ${service?.apiKey}\n`, { mode: 0o600 });
  const lines = [
    "",
    `The model answers at ${service?.url}/v1 (leader ${lab.hosts[0]?.name}, worker ${lab.hosts[1]?.name}). Ask it:`,
    "",
    `  curl ${service?.url}/v1/chat/completions \\`,
    "    -H @.demo/authorization -H 'Content-Type: application/json' \\",
    `    -d '${JSON.stringify({ model: service?.model, messages: [{ role: "user", content: "Hello!" }], max_tokens: 16 })}'`,
    "",
    "Go on:",
    `  ssh -i .demo/lab/id -o UserKnownHostsFile=.demo/lab/known_hosts root@${lab.hosts[0]?.address}   and change something by hand`,
    "  npm run drift demo                 says what differs",
    "  npm run up demo -- --refresh       repairs it",
    "  npm run plan demo                  after a change in .demo/Pulumi.demo.yaml",
    "  npm run demo:down                  removes all of it",
    "Plain Pulumi works as well:",
    '  PULUMI_CONFIG_PASSPHRASE_FILE="$PWD/.demo/passphrase" npx pulumi -C .demo preview -s demo --refresh --diff',
  ];
  console.log(lines.join("\n"));
}
