import { type Endpoint, fieldOf } from "./endpoint.ts";
import { HostError } from "./errors.ts";
import type { KeyVerdict, KnownKey } from "./host-key.ts";

/** Words a host key that was not accepted: what it shows, what we know, and how to compare and settle it. */
export function keyError(
  endpoint: Endpoint,
  verdict: Exclude<KeyVerdict, { state: "known" }>,
  known: readonly KnownKey[],
): HostError {
  const { subject, listed } = endpoint;
  const { fingerprint } = verdict;
  const place = `the SSH host key of ${endpoint.address} port ${endpoint.port}`;
  const compare = "on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";
  const sources = [...new Set(known.map(({ source }) => source ?? ""))].join(", ");
  const refused = (what: string, hint: string) => new HostError(subject, "key", `${place} ${what}`, hint);
  switch (verdict.state) {
    case "unknown": {
      const settle = listed
        ? `then add to its entry:\nhostKey: "${fingerprint}"`
        : `then log in to it once with ssh, which adds it to ${endpoint.knownHosts[0]}`;
      // ssh2 takes a host's plain key only; it shows us no certificate that we could check.
      const what = verdict.authority
        ? `is not known itself: ${fingerprint}\n  ${sources} trusts a certificate authority for it, and host certificates are not supported here`
        : `is not known: ${fingerprint}`;
      return refused(what, `compare it (${compare}), ${settle}`);
    }
    case "revoked":
      return refused(
        `is revoked in ${sources}: ${fingerprint}`,
        "give the host a new key; do not log in to it before you know why it was revoked",
      );
    case "changed": {
      const what = [
        "is not the one we know",
        `  it shows ${fingerprint}`,
        `  expected ${verdict.expected.join(" or ")} (${sources})`,
      ].join("\n");
      const settle = listed
        ? `set ${fieldOf(endpoint, "hostKey")}: "${fingerprint}"`
        : `correct its line in ${sources}`;
      return refused(
        what,
        `installed anew, or another machine has its address, or somebody is between: compare ${compare}\nif it is right, ${settle}`,
      );
    }
  }
}
