import { expect, test } from "vitest";
import { describeLab } from "#tests/support/describe-lab.ts";
import { startLab } from "./lab.ts";
import { tinyGguf, tinyLayers } from "./tiny-gguf.ts";

test("the tiny model is the same bytes each time, and tiny", () => {
  expect(tinyGguf().equals(tinyGguf())).toBe(true);
  expect(tinyGguf().byteLength).toBeLessThan(2_000_000);
});

describeLab("the tiny model", () => {
  test("is loaded by llama-server, splits between two hosts and answers", async () => {
    const lab = await startLab({
      hosts: [
        { name: "leader", release: "forky" },
        { name: "worker", release: "forky" },
      ],
    });
    try {
      const [leader, worker] = [lab.host("leader"), lab.host("worker")];
      const packages = "llama.cpp llama.cpp-tools-extra libggml0-backend-rpc";
      const install = `apt-get update -q && apt-get install -q --yes --no-install-recommends ${packages}`;
      await Promise.all(lab.hosts.map((host) => host.exec(install, { timeoutSeconds: 240 })));
      await leader.exec("cat > /root/tiny.gguf", { input: tinyGguf() });
      const rpc = "$(dpkg -L llama.cpp-tools-extra | grep /ggml-rpc-server)";
      await worker.exec(`systemd-run --unit=rpc ${rpc} --host 0.0.0.0 --port 50052`);
      const server = `llama-server --model /root/tiny.gguf --rpc ${worker.address}:50052 -ngl 3 --port 8080 -lv 4 --fit off -c 512`;
      await worker.exec("until ss -ltn | grep -q :50052; do sleep 0.1; done");
      await leader.exec(`systemd-run --unit=llama ${server}`);
      await leader.exec("until curl -sf localhost:8080/health; do sleep 0.1; done");

      const ask = '{"messages":[{"role":"user","content":"hello"}],"max_tokens":8}';
      const answer = await leader.exec("curl -sf localhost:8080/v1/chat/completions -d @-", { input: ask });
      expect(JSON.parse(answer).choices[0].message.content.length).toBeGreaterThan(0);
      const log = await leader.exec("journalctl --unit=llama --output=cat");
      expect(log).toContain(`offloaded 3/${tinyLayers + 1} layers to GPU`);
      expect(log).toMatch(/CPU\S* model buffer size = +0\.[1-9]/);
      expect(log).toMatch(/RPC0\S* model buffer size = +0\.[1-9]/);
    } finally {
      await lab.stop();
    }
  });
});
