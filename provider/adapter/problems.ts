import type { z } from "zod";
import type { Path } from "#provider/contract/resource.ts";

/** One faulty place of a value. */
export interface Problem {
  readonly path: Path;
  readonly reason: string;
}

/** What zod found, one problem a place: unknown keys are named one by one, and a bad key says what it should have been. */
export function problems(error: z.ZodError): readonly Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = issue.path as Path;
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ path: [...path, key], reason: "is not known here" }));
    }
    if (issue.code === "invalid_key") return issue.issues.map(({ message }) => ({ path, reason: message }));
    return [{ path, reason: issue.message }];
  });
}
