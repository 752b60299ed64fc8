import { z } from "zod";
import { httpAddress, port, relativeFile, sha256 } from "#inventory/kinds.ts";

/** Keys that a service of any engine has, beside its model and the machines it runs on. */
export const serviceShape = {
  port: port.default(8080).describe("TCP port of the OpenAI-compatible API."),
  alias: z
    .string()
    .regex(/^[\w.:/-]+$/, "must be letters, digits and . : / _ -")
    .optional()
    .describe("Model name that clients ask for. Default: the service's name."),
  listen: z
    .enum(["lan", "local"])
    .default("lan")
    .describe("`lan`: whoever reaches the machine may connect. `local`: only programs on the machine."),
  apiKey: z
    .string()
    .min(16, "must have at least 16 characters")
    .regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces")
    .optional()
    .describe(
      "Key that clients send; write it as `secure`. Required unless `listen: local` or `open: true`.",
    ),
  open: z.boolean().default(false).describe("Serve the LAN without a key."),
  deadlineMinutes: z
    .int()
    .min(1)
    .default(60)
    .describe("How long the first completion may take to come, counted anew at each sign of progress."),
};
const basics = z.object(serviceShape);

/** Those keys, parsed. */
export type ServiceBasics = z.output<typeof basics>;

/**
 * `model` of a service: files on the model hub at a commit, or below an address.
 *
 * @param aboutFiles what the files are, and which of them is served
 */
export const modelSchema = (aboutFiles: string) =>
  z
    .strictObject({
      repo: z
        .string()
        .regex(/^\w[\w.-]*\/\w[\w.-]*$/, "must be owner/name as the hub writes it")
        .optional()
        .describe("Repository on the model hub, such as ggml-org/gemma-3-1b-it-GGUF."),
      revision: z
        .string()
        .regex(/^[0-9a-f]{40}$/, "must be a full commit hash of 40 hex digits, because a branch may move")
        .optional()
        .describe("Commit of the repository."),
      url: httpAddress
        .optional()
        .describe("Address of the folder that holds the files, for a model from elsewhere than the hub."),
      token: z
        .string()
        .regex(/^[!#-[\]-~]+$/, "must be one word")
        .optional()
        .describe("Access token for a gated repository; write it as `secure`."),
      files: z
        .record(relativeFile, sha256)
        .refine((files) => Object.keys(files).length > 0, "needs at least one file")
        .describe(aboutFiles),
    })
    .superRefine(({ repo, revision, url }, context) => {
      const refuse = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
      if (url && (repo || revision))
        refuse(["url"], "stands beside repo or revision; write either the hub's two or url");
      else if (!url && !repo) refuse(["repo"], "is missing: the repository on the model hub; or write url");
      else if (!url && !revision) refuse(["revision"], "is missing: the full commit hash of the repository");
    })
    .describe("What is served: `repo`, `revision` and `files` on the model hub, or `url` and `files`.");

/** `model` of a service, parsed. */
export type Model = z.output<ReturnType<typeof modelSchema>>;
