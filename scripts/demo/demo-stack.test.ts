import { expect, test } from "vitest";
import { parse } from "yaml";
import { rawConfiguration } from "#scripts/stack/stack.ts";
import { parseConfiguration } from "#stacks/config.ts";
import { demoConfiguration, demoProject } from "./demo-stack.ts";

test("the demo's project is the checkout's, seen from a folder inside it", () => {
  const project = `
name: gpu-hosts
main: stacks/index.ts
runtime: { name: nodejs, options: { typescript: false } }
plugins: { providers: [{ name: gpuhost, path: ./provider }] }
`;
  expect(parse(demoProject(project, "/srv/gpu-hosts/.demo"))).toEqual({
    name: "gpu-hosts",
    main: "../stacks/index.ts",
    runtime: { name: "nodejs", options: { typescript: false } },
    plugins: { providers: [{ name: "gpuhost", path: "../provider" }] },
    backend: { url: "file:///srv/gpu-hosts/.demo/state" },
  });
});

test("the demo's stack file is one the program takes, once it has its key", () => {
  const host = (name: string, address: string) => ({
    name,
    address,
    user: "root",
    hostKey: `SHA256:${"a".repeat(43)}`,
    identityFile: "/srv/id",
  });
  const { config } = parse(
    demoConfiguration([host("alpha", "10.97.1.11"), host("beta", "10.97.1.12")], {
      hub: "http://10.97.1.1:8090",
      repo: "lab/tiny-GGUF",
      revision: "a".repeat(40),
      files: { "tiny.gguf": "b".repeat(64) },
    }),
  );
  config["gpu-hosts:services"].chat.apiKey = "sk-demo-0123456789";
  // As `pulumi config --json` prints it.
  const printed = Object.fromEntries(
    Object.entries(config).map(([key, objectValue]) => [
      key,
      { value: JSON.stringify(objectValue), objectValue },
    ]),
  );
  const { hosts, services } = parseConfiguration(rawConfiguration(printed));
  expect(Object.keys(hosts)).toEqual(["alpha", "beta"]);
  expect(services.chat).toMatchObject({ leader: "alpha", workers: ["beta"] });
});
