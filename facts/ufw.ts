import { sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

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

/**
 * A rule in ufw's own machine format: action, protocol, destination port and address, source port and
 * address, names of application profiles for both, direction with the interface, comment in hex. Older
 * releases wrote none but the first six words, or the profiles without a direction: then it is incoming.
 */
const tuple =
  /^### tuple ### ((?:route:)?(?:allow|deny|reject|limit)(?:_log(?:-all)?)?) (\S+) (\S+) (\S+) (\S+) (\S+)(?: (?!in\b|out\b|comment=)\S+ (?!comment=)\S+)?(?: ((?:in|out)(?:_\S+)?))?(?: comment=((?:[0-9a-f]{2})*))? *$/;

function parseRule(line: string, family: 4 | 6): UfwRule {
  const [
    action = "",
    protocol = "",
    port = "",
    to = "",
    sourcePort,
    from = "",
    direction = "",
    comment = "",
  ] = partsOf(line, tuple, "a rule of ufw");
  return {
    action,
    protocol,
    port,
    to: address(to),
    from: address(from),
    plain: sourcePort === "any" && (direction || "in") === "in" && !action.startsWith("route:"),
    family,
    comment: Buffer.from(comment, "hex").toString("utf8"),
  };
}

function parseUfw(finished: Finished): Ufw {
  const lines = linesOf(finished);
  const [v4, v6] = [lines.indexOf("-- 4"), lines.indexOf("-- 6")];
  const status = lines.slice(0, Math.max(v4, 0)).join("\n");
  if (v4 < 0 || v6 < v4 || !/^(Status: (in)?active)?$/.test(status))
    throw new Error(`ufw did not say whether it is active: ${status || lines.join("\n")}`);
  return {
    active: status === "Status: active",
    rules: [
      ...lines.slice(v4 + 1, v6).map((line) => parseRule(line, 4)),
      ...lines.slice(v6 + 1).map((line) => parseRule(line, 6)),
    ],
  };
}

/**
 * Whether ufw filters, and its rules. A machine without ufw has it inactive and no rules; a ufw that fails is
 * no answer.
 */
export const ufw: Fact<Ufw> = {
  name: "ufw",
  command: sh`if command -v ufw >/dev/null; then
  status=$(ufw status) || exit
  printf '%s\\n' "$status" | head -n 1
fi
for family in 4 6; do
  echo "-- $family"
  grep '^### tuple ###' "/etc/ufw/user\${family#4}.rules" 2>/dev/null
done; exit 0`,
  parse: parseUfw,
};
