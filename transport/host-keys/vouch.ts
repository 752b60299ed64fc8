import type { Duplex } from "node:stream";
import type { Endpoint } from "../endpoint.ts";
import {
  CannotFetch,
  type CertificateType,
  certificateTypes,
  fetchCertificate,
} from "./fetch-certificate.ts";
import { judgeCertificate } from "./host-certificate.ts";
import type { KnownKey } from "./host-key.ts";

/** Why no certificate of a host vouches for its key. */
export interface Unvouched {
  /** Sentences. */
  readonly faults: readonly string[];
  /** What the operator can do. */
  readonly cure: string;
}

const keyTypes = Object.keys(certificateTypes) as CertificateType[];

/**
 * The key for which a certificate of the host vouches, or why there is none. The host is asked for its
 * certificates one after the other until one is right: most have one for their ed25519 key, and servers and
 * firewalls count connections that log nobody in.
 * @param open makes a new connection to the host; what it rejects with goes on to the caller
 */
export async function vouchedKey(
  endpoint: Endpoint,
  known: readonly KnownKey[],
  { open, onHeard }: { open(): Promise<Duplex>; onHeard(): void },
  signal: AbortSignal,
): Promise<KnownKey | Unvouched> {
  const expected = { name: endpoint.knownAs ?? endpoint.address.toLowerCase(), known, now: new Date() };
  const faults: string[] = [];
  let offered: readonly string[] | undefined;
  for (const type of keyTypes) {
    if (offered && !offered.some((name) => certificateTypes[type].test(name))) continue;
    try {
      const shown = await fetchCertificate(await open(), type, onHeard, signal);
      offered = shown.offered;
      if (shown.certificate === undefined) continue;
      const vouching = judgeCertificate(shown.certificate, expected);
      if ("key" in vouching) return vouching.key;
      faults.push(`its ${type} certificate ${vouching.fault}`);
    } catch (error) {
      if (!(error instanceof CannotFetch)) throw error;
      const cure = "have the ssh-keyscan of a present OpenSSH here, which the check needs";
      return { faults: [...faults, `its certificate ${error.message}`], cure };
    }
  }
  const cure = `have the authority sign its key: ssh-keygen -s CA_KEY -I ${endpoint.host.name} -h -n ${expected.name} ssh_host_ed25519_key.pub; name the result as HostCertificate in its sshd_config`;
  return { faults: faults.length > 0 ? faults : ["it shows no certificate"], cure };
}
