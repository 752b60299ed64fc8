import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { stopLong } from "#provider/contract/linux-steps.ts";
import { defineResource } from "#provider/contract/resource.ts";
import { again, long, reboot, run, type Step, wait } from "#provider/contract/step.ts";
import { Interrupted } from "#provider/converge/failure.ts";
import { perform } from "#provider/converge/perform.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Life, startLife } from "#tests/support/life.ts";
import { actingOn } from "#tests/support/machine.ts";
import { sh } from "#transport/command.ts";

/**
 * Steps that Files does not need, on a real host: rounds, reboot, waiting, and work that outlives the
 * connection.
 */

let life: Life;
const on = (command: string) => life.host.exec(command);
const caught = async (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => expect.fail("should have failed"),
    (error: Error) => error,
  );

/**
 * A staircase of marker files; each is known only once the one below stands, as with features that a reboot
 * brings.
 */
const stairs = (options: { stuckAt?: number; between?: Step[] } = {}) =>
  defineResource({
    type: "Stairs",
    version: 1,
    inputs: z.strictObject({ height: z.int() }),
    identity: [],
    id: () => "stairs",
    items: () => [{ name: "stairs", path: [] }],
    async observe(host) {
      const { stdout } = await host.run(sh`ls -d /srv/stair-* 2>/dev/null | wc -l`);
      return Number(stdout) > 0 ? { config: { height: Number(stdout) } } : undefined;
    },
    *apply(want, have) {
      const next = (have?.config.height ?? 0) + 1;
      if (next !== options.stuckAt) yield run(sh`touch /srv/stair-${next}`);
      else yield run(sh`true`);
      yield* options.between ?? [];
      if (next < want.height) yield again(`stair ${next} stands`);
    },
    *remove() {
      yield run(sh`rm -f /srv/stair-*`);
    },
  });

const performing = (signal?: AbortSignal, said: string[] = []) => actingOn(life.machine, said, signal);

/** Counts up to a file every half second; the count shows whether it ran once or twice. */
const count = (key: string, to: number) =>
  long({
    name: "count",
    key,
    script: sh`echo start >> /srv/starts; for i in $(seq ${to}); do echo "counted $i"; sleep 0.5; done; cat >> /srv/stdin; touch /srv/done-${key}`,
    stdin: "a secret for stdin\n",
    timeoutSeconds: 60,
  });

describeLab("steps", () => {
  beforeAll(async () => {
    life = await startLife("bookworm");
  });

  afterAll(async () => {
    await life?.stop();
  });

  test("`again` observes anew until the host is as wanted", async () => {
    const { steps } = await life.up(stairs(), { height: 3 });
    expect(steps.filter((step) => step.kind === "again")).toHaveLength(2);
    expect(await on("ls /srv")).toBe("stair-1\nstair-2\nstair-3\n");
    await life.down(stairs(), { height: 3 });
    expect(await on("ls /srv")).toBe("");
  });

  test("a round that leaves the same difference is an error that names it", async () => {
    const error = await caught(life.up(stairs({ stuckAt: 2 }), { height: 4 }));
    expect(error.message).toContain("height is 1, should be 4");
    await life.down(stairs(), { height: 4 });
  });

  test("more than five rounds are an error", async () => {
    const error = await caught(life.up(stairs(), { height: 9 }));
    expect(error.message).toContain("height is 5, should be 9");
    await life.down(stairs(), { height: 9 });
  });

  test("a reboot is waited for, and the work goes on after it", async () => {
    const started = () => on("cut -d' ' -f22 /proc/1/stat");
    const before = await started();
    await life.up(stairs({ between: [reboot("to see it through")] }), { height: 1 });
    expect(await started()).not.toBe(before);
    await life.down(stairs(), { height: 1 });
  });

  test("waiting ends with success, at a verdict, or at the deadline without progress", async () => {
    const said: string[] = [];
    await on("(sleep 2; touch /srv/ready) > /dev/null 2>&1 &");
    const ready = { what: "the file", deadlineSeconds: 20, intervalSeconds: 1 };
    await perform(
      [wait({ ...ready, command: sh`[ -e /srv/ready ] || { echo not there; exit 75; }` })],
      performing(undefined, said),
    );
    expect(said).toContain("waiting for the file: not there");

    const judged = await caught(
      perform([wait({ ...ready, command: sh`echo it crashed >&2; exit 1` })], performing()),
    );
    expect(judged.message).toContain("it crashed");

    const explain = sh`echo the journal says so`;
    const late = await caught(
      perform(
        [wait({ ...ready, deadlineSeconds: 2, command: sh`echo stuck; exit 75`, explain })],
        performing(),
      ),
    );
    expect(late.message).toContain("waited 2 s for the file");
    expect(late.message).toContain("last seen: stuck");
    expect(late.message).toContain("the journal says so");

    // Four seconds of progress under a deadline of two.
    const slow = sh`n=$(cat /srv/n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > /srv/n; [ $n -gt 4 ] || { echo $n; exit 75; }`;
    await perform([wait({ ...ready, deadlineSeconds: 2, command: slow })], performing());
  });

  test("a long step detaches at Ctrl-C, the same wants attach to it, and stdin stays off the disk afterwards", async () => {
    const brake = new AbortController();
    const going = performing(brake.signal);
    const first = perform([count("one", 10)], {
      ...going,
      report: async (line) => {
        if (line.includes("counted 2")) brake.abort();
      },
    });
    const error = await caught(first);
    expect(error).toBeInstanceOf(Interrupted);
    expect(error.message).toContain("goes on on alpha");
    await life.reconnect();
    const said: string[] = [];
    await perform([count("one", 10)], performing(undefined, said));
    expect(await on("cat /srv/starts /srv/stdin")).toBe("start\na secret for stdin\n");
    expect(said).toContain("counted 10");
    expect(await on("ls /var/lib/gpu-hosts/long 2>/dev/null || true")).toBe("");
  });

  test("other wants stop the work that is under way", async () => {
    await on("rm -f /srv/*");
    const brake = new AbortController();
    const first = perform([count("old", 100)], {
      ...performing(brake.signal),
      report: async () => brake.abort(),
    });
    await caught(first);
    await perform([count("new", 1)], performing());
    expect(await on("ls /srv/done-*; systemctl list-units --plain --no-legend 'gpu-hosts-count-*'")).toBe(
      "/srv/done-new\n",
    );
  });

  test("work of a name that begins alike is let alone", async () => {
    const brake = new AbortController();
    const more = { ...count("more", 100), name: "count-more" };
    await caught(perform([more], { ...performing(brake.signal), report: async () => brake.abort() }));
    await perform([count("one", 1)], performing());
    expect(await on("systemctl is-active 'gpu-hosts-count-more-*'")).toBe("active\n");
    await perform([stopLong("count-more")], performing());
    expect(await on("systemctl list-units --plain --no-legend 'gpu-hosts-count-*'")).toBe("");
    await perform([stopLong("count-more")], performing());
  });

  test("a dpkg in work that is to be stopped is waited for, which is said", async () => {
    const brake = new AbortController();
    const dpkg = long({
      name: "install",
      key: "old",
      script: sh`cp /bin/sleep /srv/dpkg; echo begun; /srv/dpkg 5; touch /srv/dpkg-done; sleep 100`,
      timeoutSeconds: 60,
    });
    const going = performing(brake.signal);
    await caught(
      perform([dpkg], { ...going, report: async (line) => void (line === "begun" && brake.abort()) }),
    );
    await expect.poll(() => on("pgrep -x dpkg || true"), { timeout: 30_000 }).not.toBe("");
    const said: string[] = [];
    const next = long({ ...dpkg, key: "new", script: sh`ls /srv/dpkg-done` });
    await perform([next], performing(undefined, said));
    expect(said).toContainEqual(
      expect.stringMatching(/^waiting for the dpkg in gpu-hosts-install-\w+\.service/),
    );
  });

  test("a long step that fails says why, with its last lines, and its log stays; what it read on stdin does not", async () => {
    const seen: string[] = [];
    const failing = long({
      name: "fail",
      key: 1,
      script: sh`echo begun; sleep 2; cat > /dev/null; echo no space left; exit 3`,
      stdin: "very-secret",
      timeoutSeconds: 20,
    });
    const secrets = () => on("grep -rls very-secret /run/gpu-hosts /var/lib/gpu-hosts || true");
    const error = await caught(
      perform([failing], {
        ...performing(),
        report: async (line) => void (line === "begun" && seen.push(`while it runs: ${await secrets()}`)),
      }),
    );
    expect(seen).toEqual(["while it runs: "]);
    expect(error.message).toContain("exit code 3");
    expect(error.message).toContain("no space left");
    const [, log = ""] = /whole log: (\S+)/.exec(error.message) ?? [];
    expect(await on(`cat ${log}`)).toBe("begun\nno space left\n");
    expect(await secrets()).toBe("");
  });

  test("a time limit, a stop and a start that fails are told apart, and leave no secret", async () => {
    const endless = long({
      name: "endless",
      key: 1,
      script: sh`echo begun; sleep 1000`,
      stdin: "very-secret",
      timeoutSeconds: 3,
    });
    const limit = await caught(perform([endless], performing()));
    expect(limit.message).toContain("ran longer than its limit of 3 s and was stopped");
    expect(limit.message).toContain("begun");

    const stop = async (line: string) => {
      if (line === "begun") await on("systemctl stop 'gpu-hosts-endless-*'");
    };
    const stopped = await caught(
      perform([{ ...endless, timeoutSeconds: 100 }], { ...performing(), report: stop }),
    );
    expect(stopped.message).toContain("was stopped by signal TERM");

    await on(
      "printf '#!/bin/sh\\necho no systemd today >&2; exit 1\\n' > /usr/local/bin/systemd-run; chmod +x /usr/local/bin/systemd-run",
    );
    const unstarted = await caught(perform([endless], performing()));
    await on("rm /usr/local/bin/systemd-run");
    expect(unstarted.message).toMatch(
      /could not start gpu-hosts-endless-\w+\.service on the host\n +no systemd today/,
    );
    expect(await on("ls /run/gpu-hosts/long; grep -rls very-secret /var/lib/gpu-hosts || true")).toBe("");
  });
});
