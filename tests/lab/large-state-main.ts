import "#stacks/load-sdk.ts";
import { declare } from "#provider/declare.ts";
import { files } from "#provider/resources/files/files.ts";

// A file that makes a large state, and one that cannot be written where the test does not let it.
declare(files, "large", {
  host: "alpha",
  files: {
    "/etc/lab-large": { content: `${"large ".repeat(50_000)}\n` },
    "/opt/lab-last": { content: "last\n" },
  },
});
