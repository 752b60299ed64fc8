import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Fact, Finished } from "#transport/host.ts";
import { missingAccounts } from "./accounts.ts";
import { automaticPackages } from "./apt.ts";
import { checkRecord } from "./check-record.ts";
import { changedCredentials } from "./credentials.ts";
import { fileSystemOf } from "./df.ts";
import { downloaded } from "./downloads.ts";
import { packages } from "./dpkg.ts";
import { fileSystems } from "./file-systems.ts";
import { contents, entries } from "./files.ts";
import { ipv4Addresses } from "./ip-address.ts";
import { journal } from "./journal.ts";
import { loadedModules } from "./kernel-modules.ts";
import { libc } from "./libc.ts";
import { lockedPaths } from "./lsattr.ts";
import { cpuCores } from "./lscpu.ts";
import { nvidiaCards } from "./lspci.ts";
import { memoryTotal } from "./meminfo.ts";
import { stampedFiles } from "./model-files.ts";
import { nftTable } from "./nftables.ts";
import { nvidiaInstalled } from "./nvidia-installed.ts";
import { nvidiaPackages } from "./nvidia-packages.ts";
import { gpus } from "./nvidia-smi.ts";
import { osRelease } from "./os-release.ts";
import { diversions, packageFiles } from "./package-files.ts";
import { askHttp } from "./probes/openai.ts";
import { completionProbe } from "./probes/probe.ts";
import { runningFiles } from "./running-files.ts";
import { secureBoot } from "./secure-boot.ts";
import { listenersOn, sshPorts } from "./ss.ts";
import { showUnit, unitFiles } from "./systemd.ts";
import { ufw } from "./ufw.ts";
import { uname } from "./uname.ts";
import { unitInEffect } from "./unit-in-effect.ts";

/**
 * An answer of a fact as a machine gave it, and what its parser makes of it when something is wrong with it.
 */
interface Answer {
  readonly fact: Fact<unknown>;
  readonly stdout: string;
  /** Why an answer that says nothing at all is one: it means that nothing is there. */
  readonly empty?: string;
  /** Why the end of its last line is not missed. */
  readonly cut?: string;
  /** Lines that are records apart by something else than a line's end. */
  readonly noLines?: boolean;
}

const recorded = (name: string) => readFileSync(new URL(`fixtures/${name}.txt`, import.meta.url), "utf8");

const places = {
  folder: "/m/x/1",
  stamps: "/m/.verified/x/1",
  partials: "/m/.partial/x/1",
  units: "fetch-*",
};
const download = { folder: "/opt/tool/1", record: "/r", unfinished: ["/u"], items: "download /opt/tool/" };

const answers: Record<string, Answer> = {
  dpkg: { fact: packages([]), stdout: recorded("dpkg-held.debian12") },
  "apt marks": { fact: automaticPackages([]), stdout: recorded("apt-two-architectures.debian12") },
  df: { fact: fileSystemOf("/var/lib"), stdout: recorded("df.debian12") },
  lsattr: {
    fact: lockedPaths([]),
    stdout: recorded("lsattr.debian12"),
    empty: "no path is there, or on a file system with attributes",
  },
  "file systems": {
    fact: fileSystems([]),
    stdout: recorded("file-systems.debian12"),
    empty: "no path was asked for",
  },
  "ip address": { fact: ipv4Addresses, stdout: recorded("ip-address-two.debian12") },
  journal: {
    fact: journal(["it.service"], {}),
    stdout: recorded("journal-twice.debian12"),
    empty: "there is no entry",
  },
  libc: { fact: libc, stdout: "glibc 2.36\n", empty: "another C library does not know the question" },
  "cores by lscpu": { fact: cpuCores, stdout: recorded("lscpu.debian12") },
  cores: { fact: cpuCores, stdout: recorded("thread-siblings.debian12") },
  // Not recorded, for want of such machines: see the tests of both.
  lspci: {
    fact: nvidiaCards,
    stdout:
      "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation AD102 [GeForce RTX 4090] [10de:2684] (rev a1)\n" +
      "01:00.1 Audio device [0403]: NVIDIA Corporation AD102 High Definition Audio Controller [10de:22ba] (rev a1)\n",
    empty: "there is no such card",
  },
  "nvidia-smi": {
    fact: gpus,
    stdout:
      "0, GPU-5d3c0e8a-0000-0000-0000-000000000001, NVIDIA GeForce RTX 4090, 580.95.05, 24564, 512, 3, 41, 8.9\n" +
      "1, GPU-5d3c0e8a-0000-0000-0000-000000000002, NVIDIA GB10, 580.95.05, [N/A], [N/A], 0, [N/A], 12.1\n",
    empty: "the driver sees no GPU, which is a failure",
  },
  "loaded modules": { fact: loadedModules(["nvidia"]), stdout: "nvidia=580.95.05\nnouveau=\nend\n" },
  "NVIDIA's files": { fact: nvidiaInstalled, stdout: "kernel=6.1.0-40-amd64\nlibrary=580.95.05\nend\n" },
  "NVIDIA's packages": {
    fact: nvidiaPackages([], "http://192.0.2.1:8080"),
    stdout: recorded("nvidia-policy.debian12"),
  },
  "Secure Boot": {
    fact: secureBoot,
    stdout: "SecureBoot enabled\n/var/lib/dkms/mok.pub is already enrolled\nend\n",
  },
  meminfo: { fact: memoryTotal, stdout: recorded("meminfo.debian12") },
  "model files": {
    fact: stampedFiles(places, ["a.gguf", "b.gguf"]),
    stdout: recorded("model-files.debian12"),
  },
  download: { fact: downloaded(download), stdout: recorded("download.debian12") },
  completion: {
    fact: askHttp(completionProbe.parse({ kind: "completion", url: "http://127.0.0.1:8080", model: "tiny" })),
    stdout: recorded("openai/answer.llamacpp-0.7"),
  },
  nft: { fact: nftTable("inet", "gpu_hosts"), stdout: recorded("nft-table.debian12") },
  "os-release": {
    fact: osRelease,
    stdout: recorded("os-release.debian12"),
    cut: "it is a file, whose last line need not end",
  },
  ss: { fact: sshPorts, stdout: recorded("ss-ssh-socket.debian12"), empty: "nobody listens" },
  listeners: { fact: listenersOn(8080), stdout: recorded("ss-listeners.debian12"), empty: "nobody listens" },
  "systemctl show": { fact: showUnit("x.service"), stdout: recorded("systemd/running.debian12") },
  "unit files": {
    fact: unitFiles("web.service", []),
    stdout: recorded("systemd/files.debian12"),
    empty: "there are none",
  },
  ufw: { fact: ufw, stdout: recorded("ufw-active.debian12") },
  uname: { fact: uname, stdout: recorded("uname.debian12") },
  "package files": {
    fact: packageFiles(["curl"], { deep: false }),
    stdout: recorded("package-files.debian12"),
    empty: "none of them is installed",
  },
  diversions: { fact: diversions, stdout: recorded("diversions.debian12"), empty: "there are none" },
  "unit in effect": { fact: unitInEffect("a-nap@1.service"), stdout: recorded("unit-in-effect.debian12") },
  "running files": {
    fact: runningFiles("a-nap@1.service"),
    stdout: recorded("running-files.debian12"),
    empty: "nothing runs",
  },
  // Both as a Debian 12 answered.
  accounts: {
    fact: missingAccounts({ users: [], groups: [], members: [] }),
    stdout: "user\tserves\ngroup\tgpus\nmember\tserves\tgpus\nmember\troot\tgpus\n",
    empty: "all are there",
  },
  credentials: {
    fact: changedCredentials("x.service", []),
    stdout: "changed\t/etc/hosts\n",
    empty: "none has changed",
  },
  "check record": {
    fact: checkRecord("/c.json"),
    stdout: '1795254000\n{"probe":{"kind":"unit","unit":"x.service"},"generation":"7"}\n',
    empty: "there is none",
  },
  files: { fact: entries([]), stdout: recorded("files.debian12"), noLines: true },
  "file contents": { fact: contents(["/a", "/b"]), stdout: "aGVsbG8=\nd29ybGQK\n" },
};

/**
 * What a parser makes of an answer; a refusal is one word, and what a check record no longer holds is a
 * refusal too.
 */
function read({ fact }: Answer, answer: Partial<Finished>): unknown {
  try {
    const value = fact.parse({ exitCode: 0, stdout: "", stderr: "", ...answer });
    const reading = value as { state?: string; passed?: unknown; at?: number } | undefined;
    if (reading?.state === "failed") return "refused";
    return typeof reading?.at === "number" && reading.passed === undefined ? "refused" : value;
  } catch (error) {
    expect((error as Error).message).not.toBe("");
    return "refused";
  }
}

const noise = [
  "-bash: warning: setlocale: LC_ALL: cannot change locale (en_US.UTF-8)",
  "Last login: today",
  "noise",
];

describe.each(Object.entries(answers))("%s", (_, answer) => {
  const right = read(answer, answer);
  const isRight = (value: unknown, what: string) => {
    if (value !== "refused") expect(value, what).toEqual(right);
  };
  const lines = answer.stdout.split("\n").slice(0, -1);

  test("is understood", () => {
    expect(right).not.toBe("refused");
  });

  test.skipIf(answer.noLines)("lines may end as on Windows", () => {
    expect(read(answer, { stdout: answer.stdout.replaceAll("\n", "\r\n") })).toEqual(right);
  });

  test("a line of somebody else's makes no other value of it", () => {
    for (const line of noise)
      for (const at of [...lines.keys(), lines.length]) {
        const stdout = [...lines.slice(0, at), line, ...lines.slice(at), ""].join("\n");
        isRight(read(answer, { stdout }), stdout);
      }
  });

  test.skipIf(answer.cut !== undefined)("cut off within a line it is no other value", () => {
    for (const end of answer.stdout.slice(0, -1).matchAll(/[^\n\0](?=[^\n\0])/g)) {
      const stdout = answer.stdout.slice(0, end.index + 1);
      isRight(read(answer, { stdout }), stdout);
    }
  });

  // A whole line is what the tool wrote; that it did not come to its end its exit code says.
  test("cut off behind a line it is no other value", () => {
    for (const at of lines.keys()) {
      const stdout = lines
        .slice(0, at)
        .map((line) => `${line}\n`)
        .join("");
      isRight(read(answer, { stdout, exitCode: 143 }), stdout);
    }
  });

  test("nothing at all", () => {
    const nothing = read(answer, { stdout: "" });
    if (answer.empty === undefined) expect(nothing).toBe("refused");
  });

  test("a failure is no answer", () => {
    for (const exitCode of [2, 126, 143])
      expect(read(answer, { stdout: "", stderr: "it failed\n", exitCode })).toBe("refused");
  });
});
