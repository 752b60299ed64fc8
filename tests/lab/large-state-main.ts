import "#stacks/load-sdk.ts";
import { Files } from "#provider/resources/files/files.ts";

// A file that makes a large state, and one that cannot be written where the test does not let it.
new Files("large", {
  host: "alpha",
  files: {
    "/etc/lab-large": { content: `${"large ".repeat(50_000)}\n` },
    "/opt/lab-last": { content: "last\n" },
  },
});
