import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildWithGo, requiredVersion } from "./go-build.ts";
import {
  downloadAndPin,
  downloadPinned,
  ensurePulumi,
  pinnedWays,
  pulumiFolder,
  pulumiVersion,
  type Way,
} from "./install.ts";
import type { Progress } from "./progress.ts";
import { type Archive, recordedHashes, vendorArchive } from "./vendor-archive.ts";

let home: string;
let said: string[];
let progress: Progress;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "toolchain-"));
  said = [];
  progress = {
    now: (text) => void said.push(text),
    say: (line) => void said.push(line),
    end: () => undefined,
  };
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const programs = ["pulumi", "pulumi-language-nodejs"];

function place(folder: string, names: readonly string[], content = "program"): void {
  mkdirSync(folder, { recursive: true });
  for (const name of names) writeFileSync(join(folder, name), content, { mode: 0o755 });
}

function script(name: string, text: string): string {
  const path = join(home, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

const works: Way = async (folder) => place(folder, [...programs, "pulumi-analyzer"]);
const fails: Way = async () => {
  throw new Error("no way through");
};
const ensure = (...ways: Way[]) => ensurePulumi({ home, ways, progress });

test("a complete folder is left alone without a word", async () => {
  place(pulumiFolder(home), programs);
  await ensure(fails);
  expect(said).toEqual([]);
});

test.each([
  ["nothing there", () => undefined],
  ["the CLI alone", () => place(pulumiFolder(home), ["pulumi"])],
  ["a download cut off at its start", () => place(pulumiFolder(home), programs, "")],
])("%s: both programs are installed, with what else came", async (_, prepare) => {
  prepare();
  await ensure(works);
  expect(readdirSync(pulumiFolder(home)).sort()).toEqual([
    "pulumi",
    "pulumi-analyzer",
    "pulumi-language-nodejs",
  ]);
  expect(readFileSync(join(pulumiFolder(home), "pulumi"), "utf8")).toBe("program");
  expect(readdirSync(join(home, "versions", pulumiVersion))).toEqual(["bin"]);
});

test("the second way is tried when the first fails or brings too little", async () => {
  await ensure(fails, async (folder) => place(folder, ["pulumi"]), works);
  expect(existsSync(join(pulumiFolder(home), "pulumi"))).toBe(true);
});

test("no way through: the error says what to do by hand, and nothing is left behind", async () => {
  await expect(ensure(fails, fails)).rejects.toThrow(
    /By hand: unpack .*pulumi-v\d+\.\d+\.\d+-<system>.*\n.*install Go/s,
  );
  expect(readdirSync(join(home, "versions", pulumiVersion))).toEqual([]);
});

test("of two at once one installs and the other waits for it", async () => {
  const waiting = "another process is installing the Pulumi CLI, waiting for it";
  let installs = 0;
  const slow: Way = async (folder, voice) => {
    installs += 1;
    await expect.poll(() => said, { timeout: 30_000 }).toContain(waiting);
    await works(folder, voice);
  };
  await Promise.all([ensure(slow), ensure(slow)]);
  expect(installs).toBe(1);
});

describe("the vendor's archive", () => {
  let server: Server;
  let archive: Archive;
  let record: string;
  let sha256: string;

  beforeEach(async () => {
    place(join(home, "packed", "pulumi"), [...programs, "pulumi-analyzer"], "vendor");
    const name = `pulumi-v${pulumiVersion}-test.tar.gz`;
    const file = join(home, name);
    execFileSync("tar", ["-czf", file, "-C", join(home, "packed"), "pulumi"]);
    sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
    server = createServer((request, response) => {
      if (request.url === `/${name}`) response.end(readFileSync(file));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    archive = { name, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}` };
    record = join(home, "archives.json");
    writeFileSync(record, '{ "another.tar.gz": "1" }');
  });
  afterEach(() => server.close());

  const installed = () => readdirSync(pulumiFolder(home)).sort();

  test("is installed if it has the hash recorded for it", async () => {
    await ensure(downloadPinned(archive, sha256));
    expect(installed()).toEqual(["pulumi", "pulumi-analyzer", "pulumi-language-nodejs"]);
    expect(readFileSync(join(pulumiFolder(home), "pulumi"), "utf8")).toBe("vendor");
  });

  test("is not even unpacked if it has another", async () => {
    const way = downloadPinned(archive, "0".repeat(64));
    await expect(ensure(way)).rejects.toThrow("could not be had");
    expect(said.join("\n")).toContain(`its SHA-256 is ${sha256}, recorded is ${"0".repeat(64)}`);
    expect(said.join("\n")).not.toContain("unpacking");
    expect(readdirSync(join(home, "versions", pulumiVersion))).toEqual([]);
  });

  test("is trusted once where somebody asks for it: its hash is told and recorded beside the others", async () => {
    expect(recordedHashes(record)[archive.name]).toBeUndefined();
    await ensure(downloadAndPin(archive, record));
    expect(said.join("\n")).toContain(`${archive.name} has the SHA-256 ${sha256}.`);
    expect(JSON.parse(readFileSync(record, "utf8"))).toEqual({
      "another.tar.gz": "1",
      [archive.name]: sha256,
    });
    expect(installed()).toContain("pulumi");
  });

  test("that cannot be had says why in one line, and nothing is recorded", async () => {
    const missing = { ...archive, url: `${archive.url}.missing` };
    await expect(ensure(downloadAndPin(missing, record))).rejects.toThrow("could not be had");
    expect(said).toContain(`${missing.url} could not be downloaded: HTTP 404`);
    expect(recordedHashes(record)[archive.name]).toBeUndefined();
  });
});

test("without a recorded hash nothing is asked of the vendor", () => {
  expect(pinnedWays({})).toEqual([buildWithGo]);
  expect(pinnedWays({ [vendorArchive(pulumiVersion).name]: "0".repeat(64) })).toHaveLength(2);
});

test("both programs are built with go, with progress", async () => {
  // Stands for go: `list` names a folder of sources or packages, `build` writes what follows -o.
  const sources = join(home, "sources");
  place(sources, ["proxy.go", "main_test.go"]);
  writeFileSync(join(sources, "main.go"), 'maybeAppendArg("monitor", address)\nif host.typescript {\n');
  const go = script(
    "go",
    `#!/bin/sh
case $* in
list*Dir*) echo 'go: downloading x v1' >&2; echo ${sources} ;;
list*) echo a; echo b ;;
build*)
  echo a >&2
  while [ "$1" != -o ]; do shift; done
  case $2 in *language*) ls >"$2"; cat main.go >>"$2" ;; *) echo built >"$2" ;; esac
  chmod 755 "$2" ;;
esac
`,
  );
  await ensure((folder) => buildWithGo(folder, progress, go));
  // Here the stand-in shows what it was given to build.
  expect(readFileSync(join(pulumiFolder(home), "pulumi-language-nodejs"), "utf8")).toBe(
    `go.mod
go.sum
main.go
proxy.go
maybeAppendArg("monitor", req.GetMonitorAddress())
if host.typescript && os.Getenv("PULUMI_NODEJS_TYPESCRIPT") == "" {
`,
  );
  expect(readFileSync(join(pulumiFolder(home), "pulumi"), "utf8")).toBe("built\n");
  expect(said).toContain("pulumi: compiled 1 of 2 packages, now a");
});

test("a build that fails shows what go said", async () => {
  const go = script("go", "#!/bin/sh\necho 'go: no such module' >&2; exit 1\n");
  await expect(buildWithGo(home, progress, go)).rejects.toThrow(
    /pulumi-language-nodejs .*exit code 1.*no such module/s,
  );
});

test("without go the reason is told", async () => {
  await expect(buildWithGo(home, progress, join(home, "no-go"))).rejects.toThrow("there is no `go` on PATH");
});

test("the module to build has the launcher's version", () => {
  const goMod = readFileSync(join(import.meta.dirname, "pulumi-cli", "go.mod"), "utf8");
  expect(requiredVersion(goMod, "github.com/pulumi/pulumi/pkg/v3")).toBe(`v${pulumiVersion}`);
});
