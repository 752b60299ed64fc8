import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";

/** A download server that misbehaves. */
export interface HostileServer {
  /** Says 10 bytes and sends without end. */
  readonly endless: string;
  /** Says nothing and sends without end. */
  readonly unannounced: string;
  /** Sends to an FTP server. */
  readonly toFtp: string;
  /** Sends to a file of the one who asks. */
  readonly toFile: string;
  /** Connections that the FTP server got. */
  readonly ftpConnections: number;
  close(): Promise<void>;
}

const chunk = Buffer.alloc(65_536, "x");

function sendWithoutEnd(response: ServerResponse): void {
  const send = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", send);
  send();
}

/** Starts one. @param address where it listens */
export async function startHostileServer(address: string): Promise<HostileServer> {
  let ftpConnections = 0;
  const ftp = createTcpServer((socket) => {
    ftpConnections += 1;
    socket.destroy();
  }).listen(0, address);
  await once(ftp, "listening");
  const ftpPort = (ftp.address() as AddressInfo).port;

  const web = createServer(({ method, url }, response) => {
    if (url === "/to-ftp") response.writeHead(302, { location: `ftp://${address}:${ftpPort}/x` }).end();
    else if (url === "/to-file") response.writeHead(302, { location: "file:///etc/passwd" }).end();
    else if (method !== "HEAD") sendWithoutEnd(response);
    else response.writeHead(200, url === "/endless" ? { "content-length": 10 } : {}).end();
  }).listen(0, address);
  await once(web, "listening");
  const url = `http://${address}:${(web.address() as AddressInfo).port}`;

  return {
    endless: `${url}/endless`,
    unannounced: `${url}/unannounced`,
    toFtp: `${url}/to-ftp`,
    toFile: `${url}/to-file`,
    get ftpConnections() {
      return ftpConnections;
    },
    async close() {
      web.closeAllConnections();
      await Promise.all([web, ftp].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
