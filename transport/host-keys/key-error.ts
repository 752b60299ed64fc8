import { type Endpoint, fieldOf } from "../endpoint.ts";
import { HostError } from "../errors.ts";
import type { KeyVerdict, KnownKey } from "./host-key.ts";
import type { Unvouched } from "./vouch.ts";

/**
 * Words a host key that was not accepted: what it shows, what we know, and how to compare and settle it.
 * @param unvouched where known_hosts trusts an authority for this host, and none of its certificates vouches
 * for the key
 */
export function keyError(
  endpoint: Endpoint,
  verdict: Exclude<KeyVerdict, { state: "known" }>,
  known: readonly KnownKey[],
  unvouched?: Unvouched,
): HostError {
  const { host, listed } = endpoint;
  const { fingerprint } = verdict;
  const place = `the SSH host key of ${endpoint.address} port ${endpoint.port}`;
  const compare = "on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";
  const sources = (of: KnownKey["mark"]) =>
    [...new Set(known.filter(({ mark }) => mark === of).map(({ source }) => source ?? ""))].join(", ");
  const certificates = unvouched
    ? [
        `  ${sources("authority")} trusts a certificate authority for it, but`,
        ...unvouched.faults.map((fault) => `  ${fault}`),
      ]
    : [];
  const refused = (what: string, hint: string) => new HostError(host, "key", `${place} ${what}`, hint);
  switch (verdict.state) {
    case "unknown": {
      const settle = listed
        ? `then add to its entry:\nhostKey: "${fingerprint}"`
        : `then log in to it once with ssh, which adds it to ${endpoint.knownHosts[0]}`;
      const own = `compare the key (${compare}), ${settle}`;
      return refused(
        [`is not known: ${fingerprint}`, ...certificates].join("\n"),
        unvouched ? `${unvouched.cure}\nor ${own}` : own,
      );
    }
    case "revoked":
      return refused(
        `is revoked in ${sources("revoked")}: ${fingerprint}`,
        "give the host a new key; do not log in to it before you know why it was revoked",
      );
    case "changed": {
      const what = [
        "is not the one we know",
        `  it shows ${fingerprint}`,
        `  expected ${verdict.expected.join(" or ")} (${sources(undefined)})`,
        ...certificates,
      ].join("\n");
      const settle = listed
        ? `set ${fieldOf(endpoint, "hostKey")}: "${fingerprint}"`
        : `correct its line in ${sources(undefined)}`;
      return refused(
        what,
        `installed anew, or another machine has its address, or somebody is between: compare ${compare}\nif it is right, ${settle}`,
      );
    }
  }
}
