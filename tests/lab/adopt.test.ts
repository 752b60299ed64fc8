import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AptRepository, startAptRepository } from "#lab/apt-repository.ts";
import type { LabHost } from "#lab/host.ts";
import { type Hub, memberToken, startHub } from "#lab/hub.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { type Pypi, startPypi } from "#lab/pypi.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { ok } from "#tests/support/ended.ts";
import { installNvidiaSmi } from "#tests/support/nvidia-smi.ts";
import { inventoryOf } from "#tests/support/stack-config.ts";
import { traces } from "#tests/support/traces.ts";
import { publishFixture } from "#tests/support/wheels.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * A machine that somebody set up by hand before, taken over with the real engine by a stack of every resource
 * type and let go again (tests/fixtures/state/every-resource-main.ts). One story.
 */

let lab: Lab;
let hub: Hub;
let repository: AptRepository;
let pypi: Pypi;
let workspace: Workspace;
let alpha: LabHost;
let before: string;
let model: string;

const weights = Buffer.from("not really a model\n");

/**
 * By hand: files of other content and mode, a unit of the same name that runs, packages, a model, a firewall
 * with rules.
 */
const byHand = () => `set -e
mkdir -p /etc/fixture /etc/systemd/system/fixture.service.d ${model}
chmod 0711 /etc/fixture; chown nobody:nogroup /etc/fixture; echo foreign > /etc/fixture/foreign
printf 'one\\nline\\n' > /etc/fixture/plain; chmod 0600 /etc/fixture/plain; chown nobody /etc/fixture/plain
echo their-secret > /etc/fixture/secret; chmod 0640 /etc/fixture/secret
ln -s nowhere /etc/fixture/link
printf '[Service]\\nExecStart=/bin/sleep 1000\\nEnvironment=PASSWORD=theirs\\n\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/fixture.service
chmod 0640 /etc/systemd/system/fixture.service
printf '[Service]\\nNice=9\\n' > /etc/systemd/system/fixture.service.d/10-nice.conf
systemctl daemon-reload; systemctl start fixture.service; systemctl mask --quiet apt-daily.timer
printf '%s' '${weights}' > ${model}/tiny.gguf
echo '# theirs' > /etc/apt/preferences.d/vendor
export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; apt-get install -qq -y ufw curl >/dev/null
ufw allow 22/tcp >/dev/null; ufw allow 9999/tcp comment 'theirs' >/dev/null; ufw --force enable >/dev/null`;

/**
 * All that must be there again afterwards, beside what `traces` sees. systemctl does not tell whether a masked
 * unit is enabled beneath its mask, so the link of the masked timer is lost.
 */
const look = () => `${traces} | grep -v -e /etc/ufw/ -e timers.target.wants/apt-daily.timer
stat -c '%n %a %U:%G %F' /etc/fixture /etc/fixture/* /etc/systemd/system/fixture.service
readlink /etc/fixture/link
systemctl is-active fixture.service; systemctl is-enabled fixture.service apt-daily.timer; systemctl show -P ExecStart fixture.service | sed 's/ ;.*//'
apt-mark showmanual; ufw status verbose; sha256sum ${model}/tiny.gguf`;

const pulumi = (...args: string[]) => workspace.pulumi(...args, "--stack", "lab");

describeLab("a machine that was set up by hand", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    alpha = lab.host("alpha");
    hub = await startHub(lab.gateway);
    repository = await startAptRepository(lab.gateway);
    pypi = await startPypi(lab.gateway);
    await repository.publish([{ name: "lab-tool", version: "1.0" }]);
    const revision = hub.publish("lab/fixture", { "tiny.gguf": weights });
    model = `/var/lib/gpu-hosts/models/lab/fixture/${revision}`;
    workspace = createWorkspace("tests/fixtures/state/every-resource-main.ts");
    await workspace.configure("lab", {
      "gpuhost:hosts": inventoryOf(lab.hosts),
      "fixture:repository": repository.url,
      "fixture:key": repository.key,
      "fixture:hub": hub.url,
      "fixture:token": memberToken,
      ...(await publishFixture(pypi)),
      "fixture:revision": revision,
      "fixture:sha256": createHash("sha256").update(weights).digest("hex"),
    });
    await installNvidiaSmi(alpha);
    await alpha.exec(byHand(), { timeoutSeconds: 200 });
    before = await alpha.exec(`${look()}; true`);
  });

  afterAll(async () => {
    await repository?.close();
    await pypi?.close();
    await hub?.close();
    await lab?.stop();
    workspace?.remove();
  });

  test("a preview says item by item what is taken over and what changes, without secrets, and changes nothing", async () => {
    const preview = ok(await pulumi("preview", "--diff"));
    for (const line of [
      "takes over what is on alpha; what changes is put back when it leaves the stack:",
      "file /etc/fixture/plain: content from line 1 on one → two, mode 0600 → 0644, owner nobody:root → root:root",
      "file /etc/fixture: mode 0711 → 0750, owner nobody:nogroup → root:root",
      "file /etc/fixture/secret: content changes (secret), mode 0640 → 0600",
      "file /etc/fixture/link: symlink nowhere → plain",
      'unit fixture.service: unit from line 2 on "ExecStart=/bin/sleep 1000" → "ExecStart=/bin/sleep infinity"',
      'dropIns["10-nice.conf"] from line 2 on "Nice=9" → "Nice=5"',
      "enabled false → true",
      "as wanted already: package curl",
      `model ${model}/tiny.gguf: was not verified (${weights.length} bytes)`,
    ])
      expect(preview).toContain(line);
    expect(preview).not.toMatch(/their-secret|file-secret|environment-secret|restart-secret|hf_lab/);
    expect(await alpha.exec(`${look()}; true`)).toBe(before);
  });

  test("up takes it over without fetching the model again, and is done", async () => {
    const output = ok(await pulumi("up", "--yes", "--skip-preview"));
    expect(output).not.toMatch(/their-secret|file-secret|environment-secret|hf_lab/);
    expect(
      hub.requests.filter(({ method, path }) => method === "GET" && path.includes("lab/fixture/resolve")),
      // Of the same content from plain addresses: a model and a download. The model of the hub was there.
    ).toHaveLength(2);
    expect(await alpha.exec("cat /etc/fixture/foreign; ufw status")).toMatch(/^foreign\n[\s\S]*9999\/tcp/);
    ok(await pulumi("up", "--yes", "--skip-preview", "--expect-no-changes"));
    ok(await workspace.script("drift", "lab"));
  });

  test("destroy puts back what was there: content, modes, owners, links, units as they were, packages", async () => {
    ok(await pulumi("destroy", "--yes", "--skip-preview"));
    expect(await alpha.exec(`${look()}; true`)).toBe(before);
  });
});
