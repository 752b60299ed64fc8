import { z } from "zod";
import { completionProbe, httpProbe } from "#facts/probes/probe.ts";

const deadline = {
  deadlineSeconds: z
    .int()
    .positive()
    .default(1200)
    .describe("Seconds without any progress after which waiting ends. First loads of big models: 3600."),
};

const readiness = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("active"), ...deadline }),
  completionProbe.extend(deadline),
  httpProbe.extend(deadline),
  z.strictObject({
    kind: z.literal("tcp"),
    port: z
      .int()
      .min(1)
      .max(65535)
      .describe("Port that a process of the unit must listen on; no connection is made."),
    ...deadline,
  }),
  z.strictObject({
    kind: z.literal("command"),
    argv: z.array(z.string()).min(1).describe("Program and arguments; exit code 0 means ready."),
    ...deadline,
  }),
]);

const variable = z
  .string()
  .regex(/^(?!GPU_HOSTS_)[A-Za-z_]\w*$/, "must be a variable name without GPU_HOSTS_");
const oneLine = z.string().regex(/^[^\n\0]*$/, "must be one line");
const label = z.string().min(1);

export const inputs = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w:.@\\-]+\.(service|socket|timer)$/, "needs a suffix: .service, .socket or .timer")
      .describe("Name of the unit."),
    unit: z
      .string()
      .optional()
      .describe("Whole text of the unit in /etc/systemd/system. Leave it out when a package ships the unit."),
    dropIns: z
      .record(z.string().regex(/^[\w.@-]+\.conf$/, "needs the suffix .conf"), z.string())
      .default({})
      .describe("Drop-ins in /etc/systemd/system/<name>.d: file name → text."),
    environment: z
      .record(variable, oneLine)
      .default({})
      .describe("Environment of the service, kept in a file that only root can read; values may be secrets."),
    enabled: z.boolean().default(true).describe("Start at boot; the unit needs an [Install] section."),
    running: z.boolean().default(true).describe("Run now."),
    restartOn: z
      .record(label, oneLine)
      .default({})
      .describe("What the process must be started anew for, beside its own files: label → version, hash …"),
    readiness: readiness
      .optional()
      .describe("How the service proves after a start that it serves. Default: the unit is active."),
  })
  .superRefine((want, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (want.enabled && want.unit !== undefined && !/^\[Install\]/m.test(want.unit))
      refuse(
        "enabled",
        "the unit has no [Install] section: add WantedBy=multi-user.target or set enabled: false",
      );
    if (want.name.endsWith(".service")) return;
    for (const key of ["environment", "restartOn"] as const)
      if (Object.keys(want[key]).length > 0) refuse(key, "only a .service has processes of its own");
    if (want.readiness && want.readiness.kind !== "active")
      refuse("readiness", "only a .service can be probed");
  });

export type Want = z.output<typeof inputs>;
export type Readiness = z.output<typeof readiness>;
