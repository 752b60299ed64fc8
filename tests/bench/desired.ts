/** What the benchmark brings about on a host and then looks at: 40 files, 5 packages, 5 services. */
export interface Desired {
  /** Content by path; all are 0644 and root's. */
  readonly files: Readonly<Record<string, string>>;
  readonly packages: readonly string[];
  /** Text of the unit by name; all are enabled and run. */
  readonly units: Readonly<Record<string, string>>;
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i + 1).padStart(2, "0"));

/** About 1 kB, as configuration files are. */
const text = (name: string) => `# ${name}\n${"key = a value of ordinary length\n".repeat(30)}`;

/** A service that does nothing and needs no memory to speak of. */
export const idleUnit = (description: string): string => `[Unit]
Description=${description}
[Service]
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
`;

/** 50 items. */
export const desired: Desired = {
  files: Object.fromEntries(numbers(40).map((n) => [`/etc/bench-${n}.conf`, text(n)])),
  packages: ["bc", "file", "jq", "less", "tree"],
  units: Object.fromEntries(numbers(5).map((n) => [`bench-${n}.service`, idleUnit(`Benchmark ${n}`)])),
};

/** The inputs of the resources that bring {@link desired} about, by resource name without the host. */
export const resources: readonly {
  readonly type: "AptPackages" | "Files" | "SystemdService";
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}[] = [
  {
    type: "Files",
    name: "files",
    inputs: {
      files: Object.fromEntries(Object.entries(desired.files).map(([path, content]) => [path, { content }])),
    },
  },
  {
    type: "AptPackages",
    name: "packages",
    inputs: { packages: Object.fromEntries(desired.packages.map((name) => [name, "any"])) },
  },
  ...Object.entries(desired.units).map(([name, unit]) => ({
    type: "SystemdService" as const,
    name: name.replace(".service", ""),
    inputs: { name, unit },
  })),
];
