// Who may import whom; the reasons stand in ARCHITECTURE.md. Tests may reach anywhere.
const outside = (path) => ({
  path: `^(?!(${path}))(stacks|components|provider|facts|transport|checks|models|scripts|toolchain|tests)/`,
});
const only = (from, allowed) => ({
  name: `${from.replaceAll(/\W+/g, "-")}-imports`,
  severity: "error",
  from: { path: `^${from}`, pathNot: "\\.test\\.ts$" },
  to: outside(allowed),
});

module.exports = {
  forbidden: [
    only("transport/", "transport/"),
    only("facts/", "facts/|transport/(host|command)\\.ts"),
    only("models/", "models/"),
    only(
      "provider/resources/",
      "provider/resources/|provider/(resource|step|client|fetch)\\.ts|facts/|transport/(command|host)\\.ts",
    ),
    only("provider/", "provider/|facts/|transport/"),
    only("components/", "components/|provider/resources/|provider/client\\.ts|models/"),
    only("stacks/", "stacks/|components/|provider/sdk\\.ts|transport/inventory\\.ts|models/"),
    only("checks/", "checks/|provider/|facts/|transport/|models/"),
    only(
      "scripts/",
      "scripts/|checks/|stacks/(config|pins)\\.ts|toolchain/|transport/(command|inventory)\\.ts|tests/(lab|bench)/",
    ),
    only("toolchain/", "toolchain/"),
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
      path: "^(stacks|components|provider|facts|transport|checks|models|scripts|toolchain|tests)/|node_modules/ssh2",
    },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node"] },
  },
};
