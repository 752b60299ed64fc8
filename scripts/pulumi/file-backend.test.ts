import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { backendUrl, hasPending, stateLocks } from "./file-backend.ts";
import { type Project, pulumi } from "./pulumi.ts";

let folder: string;
let project: Project;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backend-"));
  writeFileSync(join(folder, "Pulumi.yaml"), "name: gpu-hosts\nruntime: nodejs\n");
  project = { folder, env: {} };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (path: string, content: unknown) => {
  const file = join(folder, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
};

test("locks are found where the file backend keeps them, and nowhere else", () => {
  const taken = {
    pid: 4711,
    username: "root",
    hostname: "here",
    timestamp: "2026-11-21T09:22:11.942761774Z",
  };
  put("state/.pulumi/meta.yaml", "version: 1\n");
  put("state/.pulumi/locks/organization/gpu-hosts/lab/4711.json", taken);
  put("state/.pulumi/locks/organization/gpu-hosts/lab/4711.json.attrs", "{}");
  expect(stateLocks(`file://${folder}/state`, project, "lab")).toMatchObject([{ pid: 4711 }]);
  expect(stateLocks("file://./state", project, "lab")).toHaveLength(1);
  expect(stateLocks("file://./state?no_tmp_dir=true", project, "organization/gpu-hosts/lab")).toHaveLength(1);
  expect(stateLocks(`file://${folder}/state`, project, "other")).toEqual([]);
  expect(stateLocks("https://api.pulumi.com", project, "lab")).toEqual([]);
});

test.each(["version: 2\n", ""])(
  "of a layout that is not known nobody says that it has no locks (%j)",
  (meta) => {
    put("state/.pulumi/meta.yaml", meta);
    expect(stateLocks(`file://${folder}/state`, project, "lab")).toBeUndefined();
  },
);

test("the backend is the environment's, else the project's, else the one logged in to", () => {
  const env = { PULUMI_HOME: join(folder, "home") };
  expect(backendUrl(project, env)).toBeUndefined();
  put("home/credentials.json", { current: "https://api.pulumi.com" });
  expect(backendUrl(project, env)).toBe("https://api.pulumi.com");
  put("Pulumi.yaml", "name: gpu-hosts\nbackend:\n  url: file://./state\n");
  expect(backendUrl(project, env)).toBe("file://./state");
  expect(backendUrl({ folder, env: { PULUMI_BACKEND_URL: "file://~" } }, env)).toBe("file://~");
});

test("unfinished operations are seen in the state as the CLI writes it", async () => {
  project = {
    folder,
    env: { PULUMI_BACKEND_URL: `file://${folder}/state`, PULUMI_CONFIG_PASSPHRASE: "backend" },
  };
  const url = backendUrl(project) ?? "";
  const state = () => hasPending(url, project, "lab");
  expect(state(), "no such stack").toBeUndefined();
  mkdirSync(join(folder, "state"));
  await pulumi(project, ["stack", "init", "lab", "--no-select"]);
  expect(state()).toBe(false);
  const urn = "urn:pulumi:lab::gpu-hosts::gpuhost:index:Files::files";
  const pending = { type: "creating", resource: { urn, custom: true, type: "gpuhost:index:Files" } };
  const file = "state/.pulumi/stacks/gpu-hosts/lab.json";
  put(file, { version: 3, checkpoint: { stack: "lab", latest: { pending_operations: [pending] } } });
  // What was put there is a state to the CLI as well.
  expect(await pulumi(project, ["stack", "export", "--stack", "lab"])).toContain(urn);
  expect(state()).toBe(true);
  put(`${file}.gz`, "newer, perhaps");
  expect(state(), "a compressed one beside it").toBeUndefined();
  expect(hasPending("s3://bucket", project, "lab")).toBeUndefined();
});
