import { startAptCache } from "./apt-cache.ts";

// node apt-cache-main.ts ADDRESS PORT FOLDER
const [address = "", port = "", folder = ""] = process.argv.slice(2);
await startAptCache(address, Number(port), folder);
