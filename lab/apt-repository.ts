import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { local } from "./local.ts";
import { removeTree } from "./remove-tree.ts";

/** A package that holds a line of text, and what it is told to. */
export interface SmallPackage {
  readonly name: string;
  readonly version: string;
  /** As in a control file: `other (>= 1.0)`. */
  readonly depends?: string;
  readonly conflicts?: string;
  readonly recommends?: string;
  /** Script run on the host after it is unpacked. */
  readonly postinst?: string;
  /** Further files by absolute path, executable; `{ link }` is a symbolic link. */
  readonly files?: Readonly<Record<string, string | { readonly link: string }>>;
}

/** Stands in for a vendor's flat package repository (NVIDIA's layout): signed, served over HTTP. */
export interface AptRepository {
  /** Address for `uris`; the suite is `/`. */
  readonly url: string;
  /** Armored public key that signs now. */
  readonly key: string;
  /** Offers exactly these packages, signed anew; those of others are given as whole .deb files. */
  publish(packages: readonly (SmallPackage | Buffer)[]): Promise<void>;
  /** A repository whose owner changed the signing key; `publish` again to use it. */
  rotateKey(): Promise<void>;
  close(): Promise<void>;
}

async function build(
  dir: string,
  { name, version, depends, conflicts, recommends, postinst, files = {} }: SmallPackage,
): Promise<string> {
  const tree = join(dir, "build", `${name}_${version}`);
  await mkdir(join(tree, "DEBIAN"), { recursive: true });
  await mkdir(join(tree, "usr/share", name), { recursive: true });
  await writeFile(join(tree, "usr/share", name, "version"), `${version}\n`);
  const md5 = (content: string) => createHash("md5").update(content).digest("hex");
  const sums = Object.entries(files).flatMap(([path, content]) =>
    typeof content === "string" ? [`${md5(content)}  ${path.slice(1)}\n`] : [],
  );
  await writeFile(join(tree, "DEBIAN/md5sums"), sums.join(""));
  const control = [
    `Package: ${name}`,
    `Version: ${version}`,
    "Architecture: all",
    "Maintainer: lab <lab@example.invalid>",
    ...(depends ? [`Depends: ${depends}`] : []),
    ...(recommends ? [`Recommends: ${recommends}`] : []),
    ...(conflicts ? [`Conflicts: ${conflicts}`] : []),
    "Description: stand-in for a vendor's package",
  ].join("\n");
  await writeFile(join(tree, "DEBIAN/control"), `${control}\n`);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(tree, dirname(path)), { recursive: true });
    if (typeof content === "string") await writeFile(join(tree, path), content, { mode: 0o755 });
    else await symlink(content.link, join(tree, path));
  }
  if (postinst) await writeFile(join(tree, "DEBIAN/postinst"), `#!/bin/sh\n${postinst}\n`, { mode: 0o755 });
  const file = `${name}_${version}_all.deb`;
  await local("dpkg-deb", ["--root-owner-group", "--build", tree, join(dir, "public", file)]);
  return stanza(control, file, await readFile(join(dir, "public", file)));
}

/** Puts a package of others beside ours. */
async function copy(dir: string, deb: Buffer): Promise<string> {
  const file = `${sha256(deb)}.deb`;
  await writeFile(join(dir, "public", file), deb);
  return stanza((await local("dpkg-deb", ["--field", join(dir, "public", file)])).trimEnd(), file, deb);
}

const stanza = (control: string, file: string, deb: Buffer) =>
  `${control}\nFilename: ./${file}\nSize: ${deb.length}\nSHA256: ${sha256(deb)}\n`;

const sha256 = (data: Buffer | string) => createHash("sha256").update(data).digest("hex");

/**
 * @param address this machine's on the lab's network
 * @param path where on the server it lies, as a vendor has one for each system: `/debian12/x86_64`
 */
export async function startAptRepository(address: string, path = ""): Promise<AptRepository> {
  const dir = await mkdtemp("/var/tmp/gpu-hosts-apt-");
  const home = join(dir, "gnupg");
  await mkdir(home, { mode: 0o700 });
  await mkdir(join(dir, "public"));
  const gpg = (...args: string[]) =>
    local("gpg", ["--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback", ...args]);
  let signer = 0;
  let key = "";
  const makeKey = async () => {
    const user = `lab-${++signer}`;
    await gpg("--passphrase", "", "--quick-gen-key", user, "ed25519", "sign", "never");
    key = await gpg("--armor", "--export", user);
  };
  await makeKey();

  const server = createServer((request, response) => {
    const asked = decodeURIComponent(request.url ?? "/").replaceAll("..", "");
    const file = asked.startsWith(`${path}/`) ? asked.slice(path.length) : "/";
    readFile(join(dir, "public", file)).then(
      (data) => response.end(data),
      () => response.writeHead(404).end(),
    );
  });
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(0, address, resolve);
  await listening;

  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}${path}`,
    get key() {
      return key;
    },
    async publish(packages) {
      await removeTree(join(dir, "build"));
      const stanzas: string[] = [];
      for (const each of packages)
        stanzas.push(await (Buffer.isBuffer(each) ? copy(dir, each) : build(dir, each)));
      const index = stanzas.join("\n");
      const release = `Origin: lab\nLabel: lab\nDate: ${new Date().toUTCString()}\nSHA256:\n ${sha256(index)} ${Buffer.byteLength(index)} Packages\n`;
      await writeFile(join(dir, "public/Packages"), index);
      await writeFile(join(dir, "Release"), release);
      await gpg(
        "--local-user",
        `lab-${signer}`,
        "--clearsign",
        "-o",
        join(dir, "public/InRelease"),
        join(dir, "Release"),
      );
    },
    rotateKey: makeKey,
    async close() {
      const { promise: closed, resolve: done } = Promise.withResolvers<void>();
      server.close(() => done());
      server.closeAllConnections();
      await closed;
      // The agent that gpg started would keep the folder in use.
      await local("gpgconf", ["--homedir", home, "--kill", "all"]);
      await removeTree(dir);
    },
  };
}
