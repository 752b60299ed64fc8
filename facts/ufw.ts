import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/** A rule of ufw, one of its IPv4 or of its IPv6 list. */
export interface UfwRule {
  /** `allow`, `deny`, `reject`, `limit`, with `_log` where it logs. */
  readonly action: string;
  /** `tcp`, `udp`, `any` … */
  readonly protocol: string;
  /** Destination port: `8080`, `8000:8100`, `any`, or several with commas. */
  readonly port: string;
  /** Destination; `any` for every address. */
  readonly to: string;
  /** Source; `any` for every address. */
  readonly from: string;
  /** Every source port and incoming, on no particular interface, as most rules are. */
  readonly plain: boolean;
  readonly family: 4 | 6;
  readonly comment: string;
}

export interface Ufw {
  readonly active: boolean;
  /** In the order in which they are asked, IPv4 before IPv6. */
  readonly rules: readonly UfwRule[];
}

const everywhere = new Set(["0.0.0.0/0", "::/0"]);
const address = (text: string) => (everywhere.has(text) ? "any" : text);

/** `### tuple ### allow tcp 8080 0.0.0.0/0 any 10.0.0.0/24 in comment=6770…`: ufw's own machine format, comments in hex. */
function parseRule(line: string, family: 4 | 6): UfwRule {
  const words = line.replace("### tuple ###", "").trim().split(/\s+/);
  const hex = words.find((word) => word.startsWith("comment="))?.slice("comment=".length) ?? "";
  const [action = "", protocol = "", port = "", to = "", sourcePort, from = "", ...rest] = words;
  // Rules of an application profile carry its names before the direction.
  const direction = rest.find((word) => /^(in|out)(_|$)/.test(word));
  return {
    action,
    protocol,
    port,
    to: address(to),
    from: address(from),
    plain: sourcePort === "any" && direction === "in" && !action.startsWith("route:"),
    family,
    comment: Buffer.from(hex, "hex").toString("utf8"),
  };
}

function parseUfw(stdout: string): Ufw {
  const [status = "", v4 = "", v6 = ""] = stdout.split(/^-- \d$\n?/m);
  const rules = (text: string, family: 4 | 6) =>
    text
      .split("\n")
      .filter((line) => line.startsWith("### tuple ###"))
      .map((line) => parseRule(line, family));
  return { active: /^Status: active$/m.test(status), rules: [...rules(v4, 4), ...rules(v6, 6)] };
}

/** Whether ufw filters, and its rules. A machine without ufw has it inactive and no rules. */
export const ufw: Fact<Ufw> = {
  name: "ufw",
  command: sh`ufw status 2>/dev/null | head -n 1
for family in 4 6; do
  echo "-- $family"
  grep '^### tuple ###' "/etc/ufw/user\${family#4}.rules" 2>/dev/null
done; exit 0`,
  parse: ({ stdout }) => parseUfw(stdout),
};
