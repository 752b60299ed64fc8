import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import ssh2, { type ServerChannel } from "ssh2";
import { fingerprintOf } from "#transport/host-keys/host-key.ts";

/** Sets the title of a terminal and fills its clipboard. */
export const steering = "\u001b]0;owned\u0007\u001b]52;c;b3duZWQ=\u0007\u001b[2J";

/** What hostile servers do, each one a machine of the inventory. */
const behaviours = {
  /** Gives a shell that says one line without end to whatever it is asked. */
  floods: (channel: ServerChannel) => onFirstBytes(channel, () => sayWithoutEnd(channel, "x")),
  /** Gives a shell that says short lines without end, which steer a terminal. */
  chatters: (channel: ServerChannel) => onFirstBytes(channel, () => sayWithoutEnd(channel, `${steering}\n`)),
  /** Answers everything at once, again and again, with what it has from the login: the nonce of its argument list. */
  forges: (channel: ServerChannel, nonce: string) =>
    onFirstBytes(channel, () => {
      const answer = Buffer.from(`PRETTY_NAME="Forged"\n${nonce} 0\n`.repeat(100));
      channel.write(answer);
      channel.stderr.write(answer);
    }),
  /** Greets without end and never gives a shell. */
  rambles: (channel: ServerChannel) => sayWithoutEnd(channel, `welcome ${steering}\n`),
} satisfies Record<string, (channel: ServerChannel, nonce: string) => void>;

type Behaviour = keyof typeof behaviours;
/** Also one that says goodbye before it shows a key, in words that steer a terminal. */
const names = [...(Object.keys(behaviours) as Behaviour[]), "dismisses"] as const;
type Name = (typeof names)[number];

/** SSH servers of machines that were taken over, or of somebody at their address. */
export interface HostileMachines {
  /** Entries of an inventory, by what the machine does. */
  readonly entries: Readonly<Record<Name, { readonly port: number; readonly hostKey: string }>>;
  close(): Promise<void>;
}

const chunkBytes = 65_536;

function sayWithoutEnd(channel: ServerChannel, text: string): void {
  const chunk = Buffer.from(text.repeat(Math.ceil(chunkBytes / text.length)));
  const say = () => {
    while (channel.writable && channel.write(chunk));
  };
  channel.on("drain", say);
  say();
}

const onFirstBytes = (channel: ServerChannel, act: () => void) => void channel.once("data", act);

/** The nonce that the login asks a shell to say, in two parts. */
function nonceIn(command: string): string {
  const [, first = "", second = ""] = /echo ([0-9a-f]+)""([0-9a-f]+)/.exec(command) ?? [];
  return `${first}${second}`;
}

function serverOf(behaviour: Behaviour, hostKey: string): ssh2.Server {
  const server = new ssh2.Server({ hostKeys: [hostKey], banner: steering }, (client) => {
    client.on("error", () => undefined);
    client.on("authentication", (context) => context.accept());
    client.on("session", (accept) => {
      accept().on("exec", (accept, _reject, { command }) => {
        const channel = accept();
        channel.on("error", () => undefined);
        const nonce = nonceIn(command);
        if (behaviour !== "rambles") {
          channel.write(`${nonce}\n`);
          channel.stderr.write(`${nonce}\n`);
        }
        behaviours[behaviour](channel, nonce);
      });
    });
  });
  return server;
}

/** A packet of SSH before there are keys: a disconnect with a text. */
function disconnect(text: string): Buffer {
  const string = (value: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(value));
    return Buffer.concat([length, Buffer.from(value)]);
  };
  // For a protocol error: a client is silent of one that an application asked for.
  const payload = Buffer.concat([Buffer.from([1, 0, 0, 0, 2]), string(text), string("")]);
  const padding = 16 - ((payload.length + 5) % 8);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(payload.length + padding + 1);
  head.writeUInt8(padding, 4);
  return Buffer.concat([head, payload, Buffer.alloc(padding)]);
}

/** Starts one of each on loopback. */
export async function startHostileMachines(): Promise<HostileMachines> {
  const hostKey = ssh2.utils.generateKeyPairSync("ed25519");
  const parsed = ssh2.utils.parseKey(hostKey.public);
  if (parsed instanceof Error) throw parsed;
  const sockets = new Set<Socket>();
  const dismissing = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.write("SSH-2.0-hostile\r\n");
    socket.end(disconnect(`goodbye ${steering}`));
  });
  const servers = names.map((name) =>
    name === "dismisses" ? ([name, dismissing] as const) : ([name, serverOf(name, hostKey.private)] as const),
  );
  const entries = await Promise.all(
    servers.map(async ([name, server]) => {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      return [name, { port, hostKey: fingerprintOf(parsed.getPublicSSH()) }] as const;
    }),
  );
  return {
    entries: Object.fromEntries(entries) as HostileMachines["entries"],
    async close() {
      for (const socket of sockets) socket.destroy();
      for (const [, server] of servers) server.close();
    },
  };
}
