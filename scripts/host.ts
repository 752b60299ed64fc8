import { suggestion } from "#inventory/problems.ts";
import { addHost } from "./host/add.ts";
import { refreshHosts } from "./host/refresh.ts";
import { commands, helpOf, usageOf } from "./terminal/commands.ts";
import { main } from "./terminal/main.ts";

const [verb, ...argv] = process.argv.slice(2);
const verbs = [commands["host add"], commands["host refresh"]];

if (verb === "add") await main("host add", addHost, argv);
else if (verb === "refresh") await main("host refresh", refreshHosts, argv);
else if (verb === "--help" || verb === "-h") process.stdout.write(verbs.map(helpOf).join("\n"));
else {
  const what =
    verb === undefined
      ? "say add or refresh"
      : `${verb} is not add or refresh${suggestion(verb, ["add", "refresh"])}`;
  console.error(`${what}\n\n${verbs.map((command) => `usage: ${usageOf(command)}`).join("\n")}`);
  process.exitCode = 1;
}
