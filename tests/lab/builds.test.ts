import { afterAll, beforeAll, expect, test } from "vitest";
import { type AptRepository, startAptRepository } from "#lab/apt-repository.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { eventually, type ServedStack, startServedStack } from "#tests/support/served-stack.ts";

/**
 * Other builds of llama.cpp on a group that serves, with the real engine, in one story: each test goes on
 * where the last ended. The builds are the distribution's own packages under higher versions.
 */

const names = [
  "llama.cpp",
  "llama.cpp-tools",
  "llama.cpp-tools-extra",
  "libllama0",
  "libggml0",
  "libggml0-backend-rpc",
];
type Build = Readonly<Record<string, string>>;

const units = { alpha: "llama-server-chat.service", beta: "llama-rpc-chat.service" };
const source = "/etc/apt/sources.list.d/lab.sources";

let stack: ServedStack;
let repository: AptRepository;
/** The distribution's. */
let first: Build;
let second: Build;
let third: Build;

const leader = (command: string) => stack.lab.host("alpha").exec(command, { timeoutSeconds: 200 });
const worker = (command: string) => stack.lab.host("beta").exec(command, { timeoutSeconds: 200 });

function ok({ exitCode, output }: { exitCode: number; output: string }): string {
  expect(exitCode, output).toBe(0);
  return output;
}

const suffixed = (build: Build, suffix: string): Build =>
  Object.fromEntries(Object.entries(build).map(([name, version]) => [name, `${version}${suffix}`]));

async function offered(): Promise<Build> {
  await leader("apt-get update -q 2>&1");
  const lines = await leader(
    `apt-cache show --no-all-versions ${names.join(" ")} | grep -E '^(Package|Version):'`,
  );
  const found = [...lines.matchAll(/^Package: (.*)\nVersion: (.*)$/gm)].map(([, name, version]) => [
    name,
    version,
  ]);
  expect(found).toHaveLength(names.length);
  return Object.fromEntries(found);
}

/** The distribution's packages with a suffix to their versions, also where they ask for each other's. */
async function repack(build: Build, suffix: string): Promise<Buffer[]> {
  const versions = [...new Set(Object.values(build))];
  const literal = (text: string) => text.replaceAll(/[.+]/g, "[$&]");
  const edits = versions.flatMap((version) => [
    `-e 's/^Version: ${literal(version)}$/&${suffix}/'`,
    `-e 's/(= ${literal(version)})/(= ${version}${suffix})/g'`,
  ]);
  const dir = `/var/tmp/repack${suffix}`;
  await leader(`set -e; mkdir ${dir}; cd ${dir}; mkdir from to
(cd from; apt-get download -q ${names.join(" ")} 2>&1)
for deb in from/*.deb; do
  dpkg-deb --raw-extract "$deb" tree
  sed -i ${edits.join(" ")} tree/DEBIAN/control
  dpkg-deb --root-owner-group -Znone --build tree "to/\${deb##*/}"
  rm -r tree
done`);
  const debs = (
    await leader(`cd ${dir}/to; for deb in *.deb; do base64 --wrap=0 "$deb"; echo; done; rm -r ${dir}`)
  )
    .trim()
    .split("\n");
  return debs.map((deb) => Buffer.from(deb, "base64"));
}

async function subscribe(name: "alpha" | "beta"): Promise<void> {
  const host = stack.lab.host(name);
  await host.exec("cat > /etc/apt/keyrings/lab.asc", { input: repository.key });
  const input = `Types: deb\nURIs: ${repository.url}\nSuites: /\nSigned-By: /etc/apt/keyrings/lab.asc\n`;
  await host.exec(`cat > ${source}`, { input });
}

const configure = (packages: Build) => stack.configure({ build: { packages } });
const up = (...flags: string[]) => stack.workspace.script("up", "lab", "--yes", ...flags);

/** HTTP status of a completion; 0: nobody answers. */
const ask = () =>
  stack.ask().then(
    ({ status }) => status,
    () => 0,
  );

/** Generation in the unit of each member. */
async function generations(): Promise<string[]> {
  const of = (unit: string) => `systemctl show --property=Environment ${unit}`;
  const shown = [await leader(of(units.alpha)), await worker(of(units.beta))];
  return shown.map((text) => /GPU_HOSTS_GENERATION=(\w+)/.exec(text)?.[1] ?? "none");
}

/** What the running worker says of itself to its leader. */
async function told(): Promise<{ generation: string; build: string }> {
  return JSON.parse(await leader(`curl -s http://${stack.lab.host("beta").address}:50062/`));
}

async function installed(name: "alpha" | "beta"): Promise<Build> {
  const lines = await stack.lab
    .host(name)
    .exec(`dpkg-query -W -f '\${Package} \${Version}\\n' ${names.join(" ")}`);
  return Object.fromEntries(
    lines
      .trim()
      .split("\n")
      .map((line) => line.split(" ")),
  );
}

async function generation(): Promise<string> {
  const [one, ...others] = await generations();
  expect(one).toMatch(/^[0-9a-f]{12}$/);
  expect(others).toEqual([one]);
  expect((await told()).generation).toBe(one);
  return one ?? "";
}

const journal = () =>
  leader(`journalctl --no-pager -o cat -u ${units.alpha} --lines=300 | grep -v '^[0-9][0-9]*\\.'; true`);

/** What an error adds: each member by its name, address and generation. */
function seenByLeader(generation: string, alpha: string, beta: string): RegExp {
  const address = (name: string) => stack.lab.host(name).address;
  const lines = [
    `as alpha \\(root@[^)]*\\) sees it:`,
    `group chat: generation ${generation} is wanted`,
    `0 alpha ${address("alpha")} ${alpha}: .*`,
    `1 beta ${address("beta")} ${beta}: .*`,
  ];
  return new RegExp(lines.join("\\n\\s+"));
}

describeLab("builds of llama.cpp", () => {
  beforeAll(async () => {
    stack = await startServedStack();
    repository = await startAptRepository(stack.lab.gateway);
    first = await offered();
    [second, third] = [suffixed(first, "+lab1"), suffixed(first, "+lab2")];
    await repository.publish([...(await repack(first, "+lab1")), ...(await repack(first, "+lab2"))]);
    await Promise.all([subscribe("alpha"), subscribe("beta")]);
  });

  afterAll(async () => {
    await repository?.close();
    await stack?.stop();
  });

  test("a pinned build is what all members run, though a newer one is offered", async () => {
    await configure(first);
    expect(ok(await up())).not.toContain("answers nothing until");
    expect(await ask()).toBe(200);
    expect([await installed("alpha"), await installed("beta")]).toEqual([first, first]);
    await generation();
  });

  test("another build is a short outage, announced, after which all members run it", async () => {
    const old = await generation();
    await configure(second);
    const announced = new RegExp(
      `chat changes from generation ${old} to \\w+: it answers nothing until alpha, beta`,
    );
    expect(ok(await stack.workspace.pulumi("preview", "--stack", "lab"))).toMatch(announced);
    expect(await ask()).toBe(200);
    expect(ok(await up())).toMatch(announced);
    expect(await ask()).toBe(200);
    expect([await installed("alpha"), await installed("beta")]).toEqual([second, second]);
    expect(await generation()).not.toBe(old);
    ok(await stack.workspace.script("drift", "lab"));
  });

  test("a worker that cannot get the build is named with what it is offered; the old group goes on", async () => {
    await worker(`rm ${source}; apt-get update -q 2>&1`);
    const old = await generation();
    await configure(third);
    const { exitCode, output } = await up();
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(/beta \(root@[^)]*\), AptPackages chat-beta-packages: apt-get install/);
    expect(output).toContain(`llama.cpp-tools-extra: offered are ${first["llama.cpp-tools-extra"]}`);
    const [, wanted = ""] =
      new RegExp(`chat changes from generation ${old} to (\\w+)`).exec(output) ?? expect.fail(output);
    expect(output).toMatch(seenByLeader(wanted, `old \\(${old}\\)`, `old \\(${old}\\)`));
    expect(await generations()).toEqual([old, old]);
    expect(await ask()).toBe(200);
  });

  test("a worker that does not start is named with its generation; the leader waits, and the next up finishes", async () => {
    await subscribe("beta");
    const program = (await worker("ls /usr/libexec/*/llama/bin/*rpc-server")).trim();
    await worker(`dpkg-statoverride --add root root 0644 ${program}`);
    const [old] = await generations();
    const { exitCode, output } = await up();
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(/beta \(root@[^)]*\), SystemdService chat-beta-worker: /);
    // The third start may not have said it yet; then it stands in the journal below.
    expect(output).toMatch(
      /it was restarted 3 times[,:][\s\S]*neither ggml-rpc-server nor rpc-server is installed/,
    );
    const [kept, changed] = await generations();
    expect([kept, changed === old]).toEqual([old, false]);
    // The leader loses its worker sooner or later, and then waits for one of its own generation.
    expect(output).toMatch(
      seenByLeader(changed ?? "", `(old \\(${old}\\)|waiting|down)`, "(down|unreachable)"),
    );
    expect(await ask()).toBe(0);
    await eventually("the leader to say for whom it waits", async () =>
      /waiting for worker 1 beta \S+ (down|unreachable|old \(\w+\)): /.test(await journal()),
    );

    await worker(`dpkg-statoverride --remove ${program}; chmod 0755 ${program}`);
    ok(await up());
    expect(await ask()).toBe(200);
    expect([await installed("alpha"), await installed("beta")]).toEqual([third, third]);
    expect(await generation()).toBe(changed);
    ok(await stack.workspace.script("drift", "lab"));
  });

  test("another build of the same generation is refused, and both are named", async () => {
    const versions = Object.entries(second).map(([name, version]) => `${name}=${version}`);
    await worker(
      `apt-get install -q -y --allow-downgrades ${versions.join(" ")} 2>&1; systemctl restart ${units.beta}`,
    );
    await ask();
    await eventually("the gate to refuse", async () => (await journal()).includes("refused: all members"));
    const said = await journal();
    const extra = "llama.cpp-tools-extra";
    expect(said).toMatch(/waiting for worker 1 beta \S+ other-build: build /);
    expect(said).toContain(`${extra}=${second[extra]}`);
    expect(said).toContain(`here it is`);
    expect(said).toContain(`${extra}=${third[extra]}`);
    expect(await ask()).toBe(0);
  });
});
