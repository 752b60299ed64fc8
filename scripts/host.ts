import { addHost } from "./host/add.ts";
import { refreshHosts } from "./host/refresh.ts";
import { UsageError } from "./terminal/arguments.ts";
import { main } from "./terminal/main.ts";

const usage = [
  "npm run host add USER@ADDRESS[:PORT] <stack> -- [--name NAME] [--jump HOST|USER@ADDRESS[:PORT],…] [--identity-file FILE] [--yes --host-key SHA256:…]",
  "       npm run host refresh <stack> [host]",
].join("\n");

await main(usage, async () => {
  const [verb, ...words] = process.argv.slice(2);
  if (verb === "add") return await addHost(words);
  if (verb === "refresh") return await refreshHosts(words);
  throw new UsageError(`${verb ?? "host"} is not add or refresh`);
});
