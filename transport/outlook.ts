import type { Duplex } from "node:stream";
import type { Endpoint } from "./endpoint.ts";
import { HostError } from "./errors.ts";
import { harmless } from "./harmless.ts";
import type { Line } from "./line.ts";
import { NotYet, nobodyThere, notForwarded, openThrough } from "./way.ts";

/** What came of a try to connect to a port. */
type Tried =
  | { readonly state: "open"; readonly stream: Duplex }
  /** Nobody took the connection; `why` in the words of the machine that tried. */
  | { readonly state: "closed"; readonly why: string }
  /** No answer in the time that a connection may take to open. */
  | { readonly state: "silent"; readonly why: string };

/** From where the ports of a host can be tried as a client in its network would. */
export type Outlook =
  /** Nothing stands before the host: this machine can try, at this address. */
  | { readonly from: "here"; readonly address: string }
  | {
      readonly from: "jump host";
      /** As the inventory has it, or as the ssh config or the entry names it; and its address. */
      readonly name: string;
      readonly listed: boolean;
      readonly jumpAddress: string;
      /** Where the jump host finds the host, and its SSH server. */
      readonly address: string;
      readonly sshPort: number;
      /** A try from the jump host. Rejects with a HostError where it could not be made. */
      connect(port: number): Promise<Tried>;
    }
  /** A command makes the connection for SSH alone: there is no machine to try from. */
  | { readonly from: "nowhere"; readonly command: string };

/** A jump host should be there; one that is booting gets this long. */
const defaultWithinSeconds = 15;

/** The outlook on a host. @param via the last machine before it @param signal ends what is under way */
export function outlookOn(endpoint: Endpoint, via: Line | undefined, signal: AbortSignal): Outlook {
  const { address, port: sshPort, proxyCommand } = endpoint;
  if (via === undefined)
    return proxyCommand === undefined
      ? { from: "here", address }
      : { from: "nowhere", command: proxyCommand };
  return {
    from: "jump host",
    name: via.host.name,
    listed: via.endpoint.listed,
    jumpAddress: via.endpoint.address,
    address,
    sshPort,
    async connect(port) {
      const connection = await via.connected(defaultWithinSeconds);
      try {
        return { state: "open", stream: await openThrough(connection, { address, port }, signal) };
      } catch (caught) {
        const error = caught as Error;
        if (error instanceof NotYet) return { state: "silent", why: error.message };
        const failure = notForwarded({ ...endpoint, port }, via, error);
        if (failure instanceof HostError) throw failure;
        if (!nobodyThere(error)) throw new HostError(endpoint.host, "refused", failure.message);
        return { state: "closed", why: harmless(error.message.replace(/^.*open failure: /i, "")) };
      }
    },
  };
}
