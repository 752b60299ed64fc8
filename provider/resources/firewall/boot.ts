import { run, type Step, write } from "#provider/contract/step.ts";
import { sh } from "#transport/command.ts";

export const bootFile = "/etc/gpu-hosts/firewall.nft";
export const bootUnit = "gpu-hosts-firewall.service";
export const bootUnitPath = `/etc/systemd/system/${bootUnit}`;

/**
 * nftables.service empties all tables when it starts, so ours follows it, through its restarts and reloads
 * too.
 */
export const bootUnitText = `[Unit]
Description=Who may connect to the ports of gpu-hosts services
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file ${bootFile}
ExecReload=/usr/sbin/nft --file ${bootFile}

[Install]
WantedBy=sysinit.target
`;

/** Only after rules have proven that they let us in: these are what the machine comes up with. */
export function* keepAtBoot(table: string): Generator<Step> {
  yield run(sh`install -d -m 0755 /etc/gpu-hosts`);
  yield write(bootFile, table, { mode: "0600", owner: "root:root" });
  yield write(bootUnitPath, bootUnitText, { mode: "0644", owner: "root:root" });
  yield run(
    sh`systemctl daemon-reload && systemctl enable --quiet ${bootUnit} && systemctl restart ${bootUnit}`,
  );
}
