import { gibText, tableText } from "#checks/fit.ts";
import type { Considered } from "./choose.ts";
import { gb } from "./new-service.ts";

/** What was considered as a table, the chosen row marked. */
export function consideredText(considered: readonly Considered[], chosen: Considered | undefined): string {
  const rows = considered.map((one) => {
    const { model, hosts, context, fit } = one;
    const sums = fit.needs.filter(({ place }, _, all) => place !== "memory" || all.length === 1);
    const need = sums.reduce((sum, it) => sum + it.weightsMiB + it.cacheMiB + it.overheadMiB, 0);
    const free = sums.every(({ freeMiB }) => freeMiB !== undefined)
      ? gibText(sums.reduce((sum, { freeMiB = 0 }) => sum + freeMiB, 0))
      : "?";
    const mark = one === chosen ? "→" : "";
    return [
      mark,
      model.quantization,
      gb(model.bytes),
      hosts.join(" + "),
      String(context),
      gibText(need),
      free,
      verdictWord(fit),
    ];
  });
  return tableText(["", "quantization", "size", "host", "context", "needs GiB", "free GiB", "verdict"], rows);
}

const verdictWord = ({ decision, text }: Considered["fit"]) =>
  decision === "refuse"
    ? "does not fit"
    : decision === "unknown"
      ? "not judged"
      : (text.split(":", 1)[0] ?? "");
