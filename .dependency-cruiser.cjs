// Who may import whom; the reasons stand in ARCHITECTURE.md. Tests may reach anywhere.
const outside = (path) => ({
  path: `^(?!(${path}))(stacks|components|provider|facts|transport|inventory|checks|models|lab|scripts|toolchain|tests)/`,
});
const only = (from, allowed) => ({
  name: `${from.replaceAll(/\W+/g, "-")}-imports`,
  severity: "error",
  from: { path: `^${from}`, pathNot: "\\.test\\.ts$" },
  to: outside(allowed),
});

module.exports = {
  forbidden: [
    only("inventory/", "inventory/"),
    only("models/", "models/"),
    only("toolchain/", "toolchain/"),
    only("transport/", "transport/|inventory/"),
    only("facts/", "facts/|transport/(host|command|harmless)\\.ts|inventory/"),
    only(
      "provider/resources/",
      "provider/resources/|provider/contract/|facts/|transport/(command|host)\\.ts|inventory/",
    ),
    only("provider/contract/", "provider/contract/|facts/|transport/(command|host)\\.ts|inventory/"),
    only("provider/ground/", "provider/(ground|contract)/|facts/|transport/|inventory/"),
    only("provider/converge/", "provider/(converge|ground|contract)/|facts/|transport/|inventory/"),
    only("provider/adapter/", "provider/|facts/|transport/|inventory/"),
    only("provider/", "provider/|facts/|transport/|inventory/"),
    only(
      "components/",
      "components/|provider/(resources|contract)/|provider/declare\\.ts|models/|inventory/",
    ),
    only("stacks/", "stacks/|components/|models/|inventory/|transport/command\\.ts"),
    only("checks/", "checks/|provider/|facts/|transport/|models/|inventory/"),
    only("lab/", "lab/|toolchain/|transport/|inventory/"),
    only("scripts/", "scripts/|checks/|stacks/|models/|lab/|toolchain/|transport/|inventory/|tests/bench/"),
    {
      name: "one-resource-knows-no-other",
      severity: "error",
      from: { path: "^provider/resources/([^/]+)/" },
      to: { path: "^provider/resources/([^/]+)/", pathNot: "^provider/resources/$1/" },
    },
    {
      name: "only-transport-speaks-ssh",
      severity: "error",
      from: { pathNot: "^(transport|tests)/" },
      to: { path: "node_modules/ssh2" },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "nobody-imports-entries",
      severity: "error",
      from: { pathNot: "\\.test\\.ts$" },
      to: { path: "^(stacks/index|provider/index)\\.ts" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "node_modules|^shared" },
    includeOnly: {
      path: "^(stacks|components|provider|facts|transport|inventory|checks|models|lab|scripts|toolchain|tests)/|node_modules/ssh2",
    },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node"] },
  },
};
