import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { LabHost } from "#lab/host.ts";

/**
 * The project of llama.cpp as far as its releases go: archives by tag, under the paths that its host gives
 * them.
 */
export interface Releases {
  /** Address of the project, for `mirrors.llamacpp`. */
  readonly url: string;
  publish(tag: string, name: string, content: Buffer): void;
  publishSource(tag: string, content: Buffer): void;
  close(): Promise<void>;
}

/** Serves releases, and sources under the path of a tag's source archive. */
export async function startReleases(address: string): Promise<Releases> {
  const files = new Map<string, Buffer>();
  const server = createServer(({ method, url = "" }, response) => {
    const content = files.get(url);
    if (!content) return response.writeHead(404).end();
    response.writeHead(200, { "content-length": content.byteLength });
    return response.end(method === "HEAD" ? undefined : content);
  });
  server.listen(0, address);
  await once(server, "listening");
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}/llama.cpp`,
    publish: (tag, name, content) => void files.set(`/llama.cpp/releases/download/${tag}/${name}`, content),
    publishSource: (tag, content) => void files.set(`/llama.cpp/archive/refs/tags/${tag}.tar.gz`, content),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const packages = [
  ...["llama.cpp-tools", "llama.cpp-tools-extra", "libllama0", "libggml0", "libggml0-backend-rpc"],
  "patchelf",
].join(" ");

/**
 * The CPU archive of a release, made on a forky host from the distribution's packages, which stays as bare as
 * it was. As the project's own: one folder named after the tag, in it all programs and libraries, which look
 * for each other beside themselves. Tags differ in content by what their LICENSE says.
 */
export async function cpuArchive(host: LabHost, tag: string): Promise<{ name: string; content: Buffer }> {
  const folder = `llama-${tag}`;
  const base64 = await host.exec(
    `set -e; dir=$(mktemp -d /var/tmp/release.XXXXXX); trap 'rm -rf "$dir"' EXIT; cd "$dir"
apt-get update -q >&2; apt-get download -q ${packages} >&2
for deb in *.deb; do dpkg-deb -x "$deb" tree; done
mkdir ${folder}
cp -a tree/usr/bin/llama-* tree/usr/libexec/*/llama/bin/* ${folder}
find tree/usr/lib -name 'lib*.so*' -exec cp -a {} ${folder} ';'
find ${folder} -type f -exec tree/usr/bin/patchelf --set-rpath '$ORIGIN' {} ';'
echo "Repacked as ${tag}." > ${folder}/LICENSE
tar -czf archive.tar.gz ${folder}; base64 --wrap=0 archive.tar.gz`,
    { timeoutSeconds: 200 },
  );
  return { name: `llama-${tag}-bin-ubuntu-x64.tar.gz`, content: Buffer.from(base64, "base64") };
}
