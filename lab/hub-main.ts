import { startHub } from "./hub.ts";
import { tinyGguf } from "./tiny-gguf.ts";

// node hub-main.ts ADDRESS PORT: a hub with the tiny model in it, once open and once gated.
const [address = "", port = ""] = process.argv.slice(2);
const hub = await startHub(address, Number(port));
const files = { "tiny.gguf": tinyGguf(), "README.md": "# A tiny model of the lab\n" };
hub.publish("lab/tiny-GGUF", files);
hub.publish("lab/tiny-gated-GGUF", files, { gated: true });
