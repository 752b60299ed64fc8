import { suggestion } from "#inventory/problems.ts";
import { addService } from "./service/add.ts";
import { removeService } from "./service/remove.ts";
import { commands, helpOf, usageOf } from "./terminal/commands.ts";
import { main } from "./terminal/main.ts";

const [verb, ...argv] = process.argv.slice(2);
const verbs = [commands["service add"], commands["service remove"]];
if (verb === "add") await main("service add", addService, argv);
else if (verb === "remove") await main("service remove", removeService, argv);
else if (verb === "--help" || verb === "-h") process.stdout.write(verbs.map(helpOf).join("\n"));
else {
  const what =
    verb === undefined
      ? "say add or remove"
      : `${verb} is not add or remove${suggestion(verb, ["add", "remove"])}`;
  console.error(`${what}\n\n${verbs.map((command) => `usage: ${usageOf(command)}`).join("\n")}`);
  process.exitCode = 1;
}
