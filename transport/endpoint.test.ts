import { expect, test } from "vitest";
import { type HostEntry, hostEntry } from "#inventory/inventory.ts";
import { agentOf, endpointOf, fieldOf } from "./endpoint.ts";
import { parseSshConfig } from "./ssh-config.ts";

const home = "/home/anna";
const around = { home, agent: "/run/agent" };
const entry = (more: Partial<HostEntry> = {}): HostEntry => ({
  ...hostEntry.parse({ platform: "linux", address: "rack1" }),
  ...more,
});

// Recorded from OpenSSH 9.2p1 on Debian 12, as `ssh -G` prints it, without the lines we do not read.
const printedLines = `host rack1
user anna
hostname 10.0.0.11
port 2222
identityagent ~/.1password/agent.sock
identitiesonly yes
hostkeyalias the-rack
identityfile ~/.ssh/%h_key
identityfile ~/.ssh/b
certificatefile ~/.ssh/b-cert.pub
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
userknownhostsfile /home/anna/.a /home/anna/.b
proxyjump ops@bastion:2200,other
`;
const nothingSent = `host rack1
user gpu-hosts-unsaid
hostname rack1
port 22
identityfile ~/.ssh/id_rsa
identityfile ~/.ssh/id_ecdsa
identityfile ~/.ssh/id_ecdsa_sk
identityfile ~/.ssh/id_ed25519
identityfile ~/.ssh/id_ed25519_sk
identityfile ~/.ssh/id_xmss
identityfile ~/.ssh/id_dsa
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
userknownhostsfile gpu-hosts-unsaid
`;
const config = (text: string) => parseSshConfig(text, { home, address: "rack1" });

test("what the ssh config says is taken", () => {
  const endpoint = endpointOf("rack1", true, entry(), config(printedLines), around);
  expect(endpoint).toMatchObject({
    host: { name: "rack1", target: "anna@10.0.0.11:2222" },
    knownAs: "the-rack",
    knownHosts: ["/home/anna/.a", "/home/anna/.b", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"],
    identityFiles: ["/home/anna/.ssh/10.0.0.11_key", "/home/anna/.ssh/b"],
    identitiesOnly: true,
    certificateFiles: ["/home/anna/.ssh/b-cert.pub"],
    agent: "/home/anna/.1password/agent.sock",
    jumps: ["ops@bastion:2200", "other"],
  });
});

test("what the entry says wins", () => {
  const own = entry({ user: "root", port: 22, identityFile: "~/.ssh/mine", jump: [] });
  const endpoint = endpointOf(
    "rack1",
    true,
    own,
    config(printedLines.replace("proxyjump", "proxycommand")),
    around,
  );
  expect(endpoint).toMatchObject({
    host: { target: "root@10.0.0.11" },
    identityFile: "/home/anna/.ssh/mine",
    jumps: [],
    proxyCommand: undefined,
  });
});

test.each([
  ["no ssh command", undefined],
  ["an ssh config that says nothing", config(nothingSent)],
])("with %s there are the usual files, root and port 22", (_, said) => {
  expect(endpointOf("rack1", true, entry(), said, around)).toMatchObject({
    host: { target: "root@rack1" },
    knownAs: undefined,
    identityFiles: ["id_ed25519", "id_ecdsa", "id_rsa"].map((name) => `${home}/.ssh/${name}`),
    identitiesNamed: false,
    agent: "/run/agent",
    jumps: [],
    proxyCommand: undefined,
  });
});

test("a key that only resembles a usual one was named", () => {
  const named = config(
    nothingSent.replaceAll(/identityfile .*\n/g, "").concat("identityfile ~/.ssh/id_ed25519_work\n"),
  );
  expect(endpointOf("rack1", true, entry(), named, around)).toMatchObject({
    identityFiles: [`${home}/.ssh/id_ed25519_work`],
    identitiesNamed: true,
  });
});

test("IdentityAgent: none is none, a variable is looked up", () => {
  const agent = (value: string) =>
    endpointOf("x", true, entry(), config(`${nothingSent}identityagent ${value}\n`), around).agent;
  process.env.GPU_HOSTS_TEST_AGENT = "/run/other";
  expect([agent("none"), agent("$GPU_HOSTS_TEST_AGENT"), agent("~/sock")]).toEqual([
    undefined,
    "/run/other",
    `${home}/sock`,
  ]);
  delete process.env.GPU_HOSTS_TEST_AGENT;
});

test("a ProxyCommand has its tokens replaced", () => {
  const said = config(`${printedLines.replace(/proxyjump.*\n/, "")}proxycommand nc -x 10%% %h %p %r %n\n`);
  expect(said.proxyCommand).toBe("nc -x 10% 10.0.0.11 2222 anna rack1");
});

test("the agent of each system", () => {
  const pipe = "\\\\.\\pipe\\openssh-ssh-agent";
  const nothing = () => false;
  const all = () => true;
  expect(agentOf("linux", { SSH_AUTH_SOCK: "/run/a" }, all)).toBe("/run/a");
  expect(agentOf("darwin", { SSH_AUTH_SOCK: "" }, all)).toBeUndefined();
  expect(agentOf("win32", {}, (path) => path === pipe)).toBe(pipe);
  expect(agentOf("win32", {}, nothing)).toBe("pageant");
  expect(agentOf("win32", { SSH_AUTH_SOCK: "/tmp/ssh-x/agent.1" }, all)).toBe("/tmp/ssh-x/agent.1");
});

test("an error names the key of the stack file, or of the ssh config for a machine that is not in it", () => {
  const listed = endpointOf("rack1", true, entry(), undefined, around);
  expect(fieldOf(listed, "user")).toBe("hosts.rack1.user");
  const other = endpointOf("ops@bastion", false, entry(), undefined, around);
  expect(fieldOf(other, "user")).toBe("User for ops@bastion in ~/.ssh/config");
});
